// The water between two stages: a stroke from every lane above to every lane below, or, where there is
// nothing above or below, from or to the middle.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 44;

export class Confluence {
  constructor() {
    this.element = document.createElementNS(SVG, "svg");
    this.element.setAttribute("class", "confluence");
    this.element.setAttribute("aria-hidden", "true");
    this.element.setAttribute("height", HEIGHT);
  }

  /** Draws between the lanes above and below, where they now are. */
  draw(above, below) {
    const { left, width } = this.element.getBoundingClientRect();

    if (!width) return;

    const starts = above.length ? centres(above, left) : [width / 2];
    const ends = below.length ? centres(below, left) : [width / 2];
    const strokes = starts.flatMap((start) => ends.map((end) => stroke(start, end)));
    this.element.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.element.replaceChildren(...strokes);
  }
}

/** Where lanes have their middle; once each, for those that stand below each other. */
function centres(lanes, left) {
  const found = lanes.map(({ element }) => {
    const box = element.getBoundingClientRect();

    return Math.round(box.left - left + box.width / 2);
  });

  return [...new Set(found)];
}

function stroke(start, end) {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", `M${start} 0C${start} ${HEIGHT * 0.6} ${end} ${HEIGHT * 0.4} ${end} ${HEIGHT}`);

  return path;
}
