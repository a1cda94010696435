// Making elements. Text goes in as text, whatever it looks like: nothing here reads HTML.

/** An element with properties and children; `null` children are left out. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null));

  return made;
}

/** Seconds as people read them: 30 ms, 0.4 s, 12 s, 2:05. */
export function seconds(value) {
  if (value > 0 && value < 0.095) return `${Math.max(1, Math.round(value * 1000))} ms`;
  if (value < 9.95) return `${value.toFixed(1)} s`;
  if (value < 59.5) return `${Math.round(value)} s`;

  const whole = Math.round(value);

  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export function count(number, word) {
  return `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
}
