const COLLATOR = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const NUMBER = /[-+]?\d[\d,]*(?:\.\d+)?/;

// Makes headings sort: those of a table, or those of a list whose rows are no table.
// Returns a select with the same choices as well, for a phone has no room for a list's headings.
function sortable(heads, choose) {
  heads.removeAttribute("aria-hidden");
  const columns = [...heads.children].map((head, place) => ({
    head,
    place,
    name: head.textContent.trim(),
    isNumber: head.classList.contains("n"),
  }));
  const select = document.createElement("select");
  select.name = "sort";
  select.add(new Option("as listed", ""));
  for (const { name, isNumber } of columns) {
    const up = new Option(`${name}, ${isNumber ? "lowest first" : "A to Z"}`, name);
    const down = new Option(`${name}, ${isNumber ? "highest first" : "Z to A"}`, `-${name}`);
    for (const option of isNumber ? [down, up] : [up, down]) select.add(option);
  }
  for (const { head, name, isNumber } of columns) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    const turns = isNumber ? [`-${name}`, name, ""] : [name, `-${name}`, ""];
    button.addEventListener("click", () => choose(turns[turns.indexOf(select.value) + 1] ?? turns[0]));
  }
  const current = () => select.value;
  // `cell` returns a row's cell by its column's place.
  const sorted = (rows, cell) => {
    const name = select.value.replace(/^-/, "");
    const down = select.value.startsWith("-");
    for (const column of columns) mark(column.head, column.name === name && (down ? "descending" : "ascending"));
    const column = columns.find((each) => each.name === name);
    if (!column) return rows;
    const keys = new Map(rows.map((row) => [row, key(cell(row, column.place), column.isNumber)]));
    return [...rows].sort((one, other) => compare(keys.get(one), keys.get(other), down));
  };
  return { select, current, sorted };
}

function mark(head, order) {
  const place = head.tagName === "TH" ? "aria-sort" : "data-sort";
  if (order) head.setAttribute(place, order);
  else head.removeAttribute(place);
}

// A cell's text or number; null where there is none.
function key(cell, isNumber) {
  const text = [...(cell?.childNodes ?? [])]
    .filter((node) => !/\b(key|vh)\b/.test(node.className))
    .map((node) => node.textContent)
    .join("")
    .trim();
  if (!isNumber) return text === "" || text === "–" ? null : text;
  // Of a change, what it led to.
  const number = text.split("→").pop().match(NUMBER);
  return number && Number(number[0].replaceAll(",", ""));
}

// What is missing comes last in either direction.
function compare(one, other, down) {
  if (one === null || other === null) return (one === null) - (other === null);
  const order = typeof one === "number" ? one - other : COLLATOR.compare(one, other);
  return down ? -order : order;
}

function sortTable(table, name) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  if (rows.length < 2) return;
  const order = sortable(table.tHead.rows[0], (wanted) => {
    set(wanted);
    if (name) address.write(table.closest("section").id);
  });
  const set = (wanted) => {
    order.select.value = wanted;
    if (order.select.selectedIndex < 0) order.select.selectedIndex = 0;
    body.append(...order.sorted(rows, (row, place) => row.cells[place]));
  };
  if (name) address.add(name, order.current, set);
}

// Tables within rows are many, so each is made sortable when its row is opened.
function sortTables() {
  for (const section of document.querySelectorAll("section")) {
    const tables = [...section.querySelectorAll("table")].filter((table) => !table.closest(".items"));
    for (const [place, table] of tables.entries())
      sortTable(table, place ? `${section.id}.table-${place + 1}` : `${section.id}.table`);
  }
}

function sortTablesIn(row) {
  for (const table of row.querySelectorAll("table:not([aria-label=Answers] > *)")) sortTable(table);
}
