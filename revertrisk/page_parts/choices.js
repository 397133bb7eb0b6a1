/** Lists of options (`select` elements). */

/** Add an option if it is missing. Options are in alphabetical order, except the first. */
export function offerOption(select, value) {
  if (value === null) return;
  const options = [...select.options];
  if (options.some((option) => option.value === value)) return;
  select.insertBefore(new Option(value, value), options.slice(1).find((option) => option.value > value) ?? null);
}

/** Replace the options if they differ, and select one. @param {[string, string][]} options value and text of each */
export function setOptions(select, options, chosen) {
  const old = [...select.options].map((option) => [option.value, option.text]);
  if (JSON.stringify(old) !== JSON.stringify(options)) {
    select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  }
  select.value = chosen;
}
