/** Lists to choose from. */

/** Add an option to a list, in alphabetical order after the first one, unless it is there. */
export function offerOption(select, value) {
  if (value === null) return;
  const options = [...select.options];
  if (options.some((option) => option.value === value)) return;
  select.insertBefore(new Option(value, value), options.slice(1).find((option) => option.value > value) ?? null);
}

/** Make a list's options these, unless they are so already; one is chosen. @param {[string, string][]} options value, text */
export function setOptions(select, options, chosen) {
  const old = [...select.options].map((option) => [option.value, option.text]);
  if (JSON.stringify(old) !== JSON.stringify(options)) {
    select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  }
  select.value = chosen;
}
