{
  const lists = new Map();
  for (const box of document.querySelectorAll("[data-list]"))
    if (box.querySelector(".items > li")) lists.set(box, new List(box));
  sortTables();
  for (const figure of document.querySelectorAll("figure.chart"))
    if (figure.querySelector(".band")) new Chart(figure);

  // Whether a link was clicked, rather than the address changed or the way back taken.
  let isClicked = false;

  const follow = () => {
    const { place, query } = address.read();
    const target = document.getElementById(place);
    const item = target && "item" in target.dataset;
    if (query.size || !(item || isClicked)) {
      address.restore(query);
      for (const list of lists.values()) list.refresh();
    }
    isClicked = false;
    if (item) lists.get(target.closest("[data-list]")).reveal(target);
    else if (target) {
      address.write(place);
      if (query.size) goTo(place, query);
    }
  };

  const goTo = (place, query) => {
    const found = [...lists.values()].find(
      ({ name, place: section }) => section === place && [...query.keys()].some((key) => key.startsWith(`${name}.`)),
    );
    const start = found?.start ?? document.getElementById(place);
    start.scrollIntoView();
    start.tabIndex = -1;
    start.focus({ preventScroll: true });
  };

  addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (!link) return;
    if (link.dataset.filter) link.setAttribute("href", wanted(link));
    isClicked = true;
    if (link.hash === location.hash) follow();
  });

  // A link to filtered rows leaves the filters of other lists as they are.
  const wanted = (link) => {
    const [name, value] = link.dataset.filter.split(/=(.*)/s);
    const list = name.split(".")[0];
    const cleared = [...address.parts.keys()].filter((each) => each.startsWith(`${list}.`)).map((each) => [each, ""]);
    return address.at(list, { ...Object.fromEntries(cleared), [name]: value });
  };
  for (const link of document.querySelectorAll("a[data-filter]")) link.setAttribute("href", wanted(link));

  document.addEventListener(
    "toggle",
    ({ target }) => {
      if (!target.open || target.dataset.ready || !target.closest(".items")) return;
      target.dataset.ready = "yes";
      sortTablesIn(target);
      chartsIn(target);
    },
    true,
  );
  // Any earlier, and the browser would take the focus away again.
  addEventListener("load", follow);
}
