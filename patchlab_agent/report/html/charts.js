// A figure that says its values: under the pointer, or band by band with the arrow keys.
class Chart {
  constructor(figure) {
    this.tip = document.createElement("output");
    this.tip.className = "tip";
    this.tip.hidden = true;
    this.versions = [...figure.querySelectorAll("svg")].map((svg) => [...svg.querySelectorAll(".band")]);
    this.tips = this.versions[0].map((band) => band.textContent);
    // The browser's own tip would come on top of this one.
    for (const title of figure.querySelectorAll(".band title")) title.remove();
    this.plot = document.createElement("div");
    this.plot.className = "plot";
    this.plot.tabIndex = 0;
    this.plot.setAttribute("role", "group");
    this.plot.setAttribute("aria-label", "Chart; arrow keys say its values");
    figure.prepend(this.plot);
    this.plot.append(figure.querySelector("[role=img]"), this.tip);
    this.plot.addEventListener("pointerover", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.hide());
    this.plot.addEventListener("focus", () => this.plot.matches(":focus-visible") && this.say(this.at ?? 0));
    this.plot.addEventListener("blur", () => this.hide());
    this.plot.addEventListener("keydown", (event) => this.press(event));
  }

  point(event) {
    const band = event.target.closest(".band");
    const bands = this.versions.find((each) => each.includes(band));
    if (bands) this.say(bands.indexOf(band));
  }

  press(event) {
    const last = this.tips.length - 1;
    const at = this.at ?? -1;
    const place = {
      ArrowRight: Math.min(at + 1, last),
      ArrowDown: Math.min(at + 1, last),
      ArrowLeft: Math.max(at - 1, 0),
      ArrowUp: Math.max(at - 1, 0),
      Home: 0,
      End: last,
    }[event.key];
    if (event.key === "Escape") this.hide();
    if (place === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.say(place);
  }

  say(place) {
    this.hide();
    this.at = place;
    const bands = this.versions.map((each) => each[place]);
    for (const band of bands) band.classList.add("on");
    this.tip.textContent = this.tips[place];
    this.tip.hidden = false;
    this.put(bands.find((band) => band.getClientRects().length));
  }

  // Next to the band, within the figure.
  put(band) {
    if (!band) return;
    const [frame, box] = [this.plot, band].map((each) => each.getBoundingClientRect());
    const isColumn = box.width < 0.95 * frame.width;
    const left = isColumn ? box.right + 8 - frame.left : frame.width - this.tip.offsetWidth;
    const before = box.left - 8 - frame.left - this.tip.offsetWidth;
    const fits = left + this.tip.offsetWidth <= frame.width;
    this.tip.style.left = `${Math.max(0, fits ? left : before)}px`;
    this.tip.style.top = `${isColumn ? box.top - frame.top + 8 : box.bottom - frame.top + 4}px`;
  }

  hide() {
    this.tip.hidden = true;
    for (const band of this.plot.querySelectorAll(".on")) band.classList.remove("on");
  }
}

// The small figures of patches are many, so their bands are made when they are first seen.
function chartsIn(row) {
  for (const svg of row.querySelectorAll("svg[data-odds]")) {
    const odds = svg.dataset.odds.split("|");
    const points = svg.querySelector(".way").getAttribute("d").slice(1).split("L");
    const places = points.map((point) => Number(point.split(" ")[0]));
    const { height } = svg.viewBox.baseVal;
    const half = (places[1] - places[0]) / 2;
    for (const [place, told] of odds.entries()) {
      const band = document.createElementNS(svg.namespaceURI, "rect");
      const shape = { class: "band", x: places[place + 1] - half, y: 0, width: 2 * half, height };
      for (const [name, value] of Object.entries(shape)) band.setAttribute(name, value);
      const turned = svg.dataset.outcomes[place] === "+" ? "right" : "wrong";
      band.append(`request ${place + 1}, turned ${turned}\nevidence ${told}`);
      svg.append(band);
    }
    svg.removeAttribute("data-odds");
    new Chart(svg.closest("figure"));
  }
}
