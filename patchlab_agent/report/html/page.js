(() => {
  "use strict";
  const SIZE = 25;

  class List {
    constructor(section) {
      this.form = section.querySelector("form");
      this.items = [...section.querySelectorAll("[data-item]")];
      this.pager = section.querySelector(".pager");
      this.output = section.querySelector("output");
      this.start = section.querySelector("h3") || section;
      this.texts = new Map();
      this.page = 0;
      this.form.hidden = false;
      this.form.addEventListener("input", () => this.filter());
      this.form.addEventListener("submit", (event) => event.preventDefault());
      this.pager.addEventListener("click", (event) => this.turn(event.target.dataset.step));
      this.filter();
    }

    text(item) {
      if (!this.texts.has(item)) this.texts.set(item, item.textContent.toLowerCase());
      return this.texts.get(item);
    }

    filter() {
      const { q, ...wanted } = Object.fromEntries(new FormData(this.form));
      const words = q.toLowerCase().split(/\s+/).filter(Boolean);
      const chosen = Object.entries(wanted).filter(([, value]) => value);
      this.found = this.items.filter(
        (item) =>
          chosen.every(([name, value]) => item.dataset[name].split(" ").includes(value)) &&
          words.every((word) => this.text(item).includes(word)),
      );
      this.page = 0;
      this.show();
    }

    show() {
      const first = this.page * SIZE;
      const shown = new Set(this.found.slice(first, first + SIZE));
      for (const item of this.items) item.hidden = !shown.has(item);
      const total = this.found.length;
      this.output.textContent = total
        ? `${first + 1} to ${first + shown.size} of ${total.toLocaleString("en")}`
        : "No matches; use fewer words or filters.";
      this.pager.hidden = total <= SIZE;
      const [back, on] = this.pager.children;
      back.disabled = first === 0;
      on.disabled = first + SIZE >= total;
    }

    turn(step) {
      if (!step) return;
      this.page += Number(step);
      this.show();
      this.start.scrollIntoView();
    }

    choose(name, value) {
      this.form.reset();
      this.form.elements[name].value = value;
      this.filter();
    }

    reveal(item) {
      if (!this.found.includes(item)) {
        this.form.reset();
        this.filter();
      }
      this.page = Math.floor(this.found.indexOf(item) / SIZE);
      this.show();
      const details = item.querySelector("details");
      details.open = true;
      item.scrollIntoView();
      details.querySelector("summary").focus({ preventScroll: true });
    }
  }

  const lists = new Map();
  for (const section of document.querySelectorAll("[data-list]"))
    if (section.querySelector("[data-item]")) lists.set(section, new List(section));

  const follow = () => {
    const item = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (item && "item" in item.dataset) lists.get(item.closest("[data-list]")).reveal(item);
  };
  addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (!link) return;
    if (link.dataset.filter) {
      const at = link.dataset.filter.indexOf("=");
      const list = lists.get(document.querySelector(link.hash));
      if (list) list.choose(link.dataset.filter.slice(0, at), link.dataset.filter.slice(at + 1));
    } else if (link.hash === location.hash) follow();
  });
  // Any earlier, and the browser would take the focus away again.
  addEventListener("load", follow);
})();
