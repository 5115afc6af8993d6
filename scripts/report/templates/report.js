"use strict";
(() => {
  // Colour theme: the system's unless chosen here; the choice is kept where the browser allows it.
  const themes = ["auto", "light", "dark"];
  const button = document.getElementById("theme");
  const remembered = () => { try { return localStorage.getItem("thrift-theme"); } catch { return null; } };
  const remember = (theme) => { try { localStorage.setItem("thrift-theme", theme); } catch { /* not allowed from here */ } };
  const show = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
  };
  let theme = themes.includes(remembered()) ? remembered() : "auto";
  show(theme);
  button.hidden = false;
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    show(theme);
    remember(theme);
  });

  // Contents: mark the section in view.
  const links = new Map([...document.querySelectorAll("nav li a")].map((link) => [link.hash.slice(1), link]));
  const places = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  const mark = () => {
    const passed = places.filter((place) => place.getBoundingClientRect().top < window.innerHeight * 0.3);
    const here = passed.length ? passed[passed.length - 1].id : "claims";
    for (const [id, link] of links) link.classList.toggle("here", id === here);
  };
  let waiting = false;
  window.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; mark(); });
  }, { passive: true });
  mark();

  // Find: show only the tables and figures whose title, caption or cells hold all the words.
  const find = document.getElementById("find");
  const articles = [...document.querySelectorAll("article")];
  const contents = new Map(articles.map((article) => [article.id, article.textContent.toLowerCase()]));
  const entries = [...document.querySelectorAll("[data-of]")];
  const showFound = () => {
    const words = find.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = new Set(articles.map((one) => one.id).filter((id) => words.every((word) => contents.get(id).includes(word))));
    for (const article of articles) article.hidden = !found.has(article.id);
    for (const entry of entries) entry.hidden = !found.has(entry.dataset.of);
    for (const group of document.querySelectorAll(".paper, .card, nav > ul > li")) {
      const members = [...group.querySelectorAll("article, [data-of]")];
      group.hidden = words.length > 0 && members.length > 0 && members.every((member) => member.hidden);
    }
    find.elements.shown.value = words.length ? `${found.size} of ${articles.length}` : "";
    mark();
  };
  find.addEventListener("input", showFound);
  find.addEventListener("submit", (event) => {
    event.preventDefault();
    const first = articles.find((article) => !article.hidden);
    if (first) first.scrollIntoView();
  });
  // A link may lead to something that the search hides: then the search ends.
  window.addEventListener("hashchange", () => {
    const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!place || !place.closest("[hidden]")) return;
    find.elements.words.value = "";
    showFound();
    place.scrollIntoView();
  });
  find.hidden = false;

  // Comparison: filter by words and status, sort by a column; #filter=<artifact> shows one artifact's rows.
  const form = document.getElementById("filter");
  if (!form) return;
  const tables = [...document.querySelectorAll("table.comparison")];
  const rows = tables.flatMap((table) => [...table.tBodies[0].rows]);
  const texts = new Map(rows.map((row) => [row, `${row.dataset.artifact} ${row.dataset.names} ${row.textContent}`.toLowerCase()]));
  const filter = () => {
    const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const status = form.elements.status.value;
    let shown = 0;
    for (const row of rows) {
      const fits = (!status || row.dataset.status === status) && words.every((word) => texts.get(row).includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    // What is folded opens where the filter finds something in it, and folds again with the filter's end.
    for (const folded of document.querySelectorAll("details.not-compared")) {
      const found = [...folded.querySelectorAll("tbody tr")].some((row) => !row.hidden);
      folded.hidden = !found;
      folded.open = found && Boolean(words.length || status);
    }
    form.elements.shown.value = `${shown} of ${rows.length} rows`;
  };
  const follow = () => {
    if (!location.hash.startsWith("#filter=")) return;
    form.elements.words.value = decodeURIComponent(location.hash.slice("#filter=".length));
    form.elements.status.value = "";
    filter();
    document.getElementById("comparison").scrollIntoView();
  };
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", follow);
  form.hidden = false;
  filter();
  follow();

  const value = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const number = parseFloat(text.replaceAll("−", "-").replaceAll(",", ""));
    return row.cells[column].classList.contains("num") ? (Number.isNaN(number) ? -Infinity : number) : text;
  };
  const sortable = (table) => [...table.tHead.rows[0].cells].forEach((cell, column) => {
    const sorter = document.createElement("span"); // a real button would be left out of headers repeated in print
    sorter.className = "sort";
    sorter.role = "button";
    sorter.tabIndex = 0;
    sorter.textContent = cell.textContent;
    cell.replaceChildren(sorter);
    cell.ariaSort = "none";
    const sort = () => {
      const descending = cell.ariaSort === "ascending";
      for (const other of table.tHead.rows[0].cells) other.ariaSort = "none";
      cell.ariaSort = descending ? "descending" : "ascending";
      const compare = (a, b) => {
        const [left, right] = [value(a, column), value(b, column)];
        if (typeof left === "string") return left.localeCompare(right, "en", { numeric: true });
        return left === right ? 0 : left < right ? -1 : 1;
      };
      const sorted = [...table.tBodies[0].rows].sort((a, b) => (descending ? compare(b, a) : compare(a, b)));
      table.tBodies[0].append(...sorted);
    };
    sorter.addEventListener("click", sort);
    sorter.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      sort();
    });
  });
  tables.forEach(sortable);
})();
