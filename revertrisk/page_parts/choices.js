/** Lists to choose from. */

/** Add an option to a list, in alphabetical order after the first one, unless it is there. */
export function offerOption(select, value) {
  if (value === null) return;
  const options = [...select.options];
  if (options.some((option) => option.value === value)) return;
  select.insertBefore(new Option(value, value), options.slice(1).find((option) => option.value > value) ?? null);
}
