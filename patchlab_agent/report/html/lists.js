const SIZE = 25;

// Rows that open: searched, filtered, sorted, and shown a page at a time.
class List {
  constructor(box) {
    this.name = box.dataset.list;
    this.place = box.closest("section").id;
    this.start = heading(box);
    this.form = box.querySelector("form");
    this.list = box.querySelector(".items");
    this.listed = [...this.list.children];
    this.items = this.listed;
    this.pager = box.querySelector(".pager");
    this.output = box.querySelector("output");
    this.texts = new Map();
    this.page = 0;
    this.order = sortable(box.querySelector(".head"), (order) => this.sortBy(order));
    this.output.before(labeled("Sort by", this.order.select, `${this.name}-sort`));
    this.form.hidden = false;
    this.form.addEventListener("input", () => this.change());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.pager.addEventListener("click", (event) => this.turn(event.target.dataset.step));
    for (const control of this.form.elements)
      if (control.name)
        address.add(
          `${this.name}.${control.name}`,
          () => control.value,
          (text) => {
            control.value = text;
            if (control.selectedIndex < 0) control.selectedIndex = 0;
          },
        );
    address.add(
      `${this.name}.page`,
      () => (this.page ? String(this.page + 1) : ""),
      (text) => {
        this.page = Math.max(0, (Number.parseInt(text, 10) || 1) - 1);
      },
    );
    this.refresh();
  }

  // A person changed what is wanted, so it starts at the first page.
  change() {
    this.page = 0;
    this.refresh();
    address.write(this.place);
  }

  sortBy(order) {
    this.form.elements.sort.value = order;
    this.change();
  }

  refresh() {
    this.sort();
    this.filter();
    this.show();
  }

  sort() {
    const order = this.order.current();
    if (order === this.sorted) return;
    this.sorted = order;
    const cell = (item, column) => item.querySelector("summary, .closed").children[column];
    this.items = this.order.sorted(this.listed, cell);
    this.list.append(...this.items);
  }

  filter() {
    const { q = "", sort, ...wanted } = Object.fromEntries(new FormData(this.form));
    const words = q.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = Object.entries(wanted).filter(([, value]) => value);
    this.found = this.items.filter(
      (item) =>
        chosen.every(([name, value]) => item.dataset[name].split(" ").includes(value)) &&
        words.every((word) => this.text(item).includes(word)),
    );
  }

  text(item) {
    if (!this.texts.has(item)) this.texts.set(item, item.textContent.toLowerCase());
    return this.texts.get(item);
  }

  show() {
    const total = this.found.length;
    this.page = Math.min(this.page, Math.max(0, Math.ceil(total / SIZE) - 1));
    const first = this.page * SIZE;
    const shown = new Set(this.found.slice(first, first + SIZE));
    for (const item of this.items) item.hidden = !shown.has(item);
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
    address.write(this.place);
    this.start.scrollIntoView();
  }

  reveal(item) {
    if (!this.found.includes(item)) {
      this.form.reset();
      this.refresh();
    }
    this.page = Math.floor(this.found.indexOf(item) / SIZE);
    this.show();
    const opened = item.querySelector("details");
    if (opened) opened.open = true;
    item.scrollIntoView();
    opened?.querySelector("summary").focus({ preventScroll: true });
  }
}

function labeled(text, control, id) {
  const label = document.createElement("label");
  control.id = label.htmlFor = id;
  label.append(text);
  const both = document.createElement("div");
  both.append(label, control);
  return both;
}

function heading(box) {
  let before = box.previousElementSibling;
  while (before && before.tagName !== "H3") before = before.previousElementSibling;
  return before ?? box;
}
