"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const get = (id) => document.getElementById(id);
  const KNOWN = "#0072b2", UNKNOWN = "#d55e00", REST = "#c9cbc4";
  const PARTS = { pool: ["new data (pool)", "#0072b2", "circle"], reference: ["existing data", "#d55e00", "diamond"], test: ["test set", "#009e73", "cross"] };
  const OBJECTIVES = { conditional_gain: "Conditional gain", mutual_information: "Mutual information", facility_location: "Representation (facility location)" };
  const MOST_ROWS = 200;
  const state = { run: 0, utility: "", learning: "", percent: 0, measure: data.known.measure, threshold: data.known.threshold, view: "knowledge", sort: null, size: null };
  const drawn = new Set();

  const unique = (values) => [...new Set(values)];
  const run = () => data.runs[state.run];
  const label = (method) => data.methods[method].label;
  // Plotly reads a few tags in hover texts: what comes from the data must not be taken for one.
  const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const short = (text) => plain(text.length > 90 ? text.slice(0, 90) + "…" : text).replace(/\n/g, "<br>");
  const number = (value, digits = 3) => (value === null || value === undefined ? "—" : value.toFixed(digits));

  // ---- controls

  function fill(id, options, value) {
    const select = get(id);
    select.replaceChildren(...options.map(([key, text]) => new Option(text, key)));
    select.value = options.some(([key]) => String(key) === String(value)) ? String(value) : String(options[0][0]);
    select.disabled = options.length < 2;
    return select.value;
  }

  function sizes(method, learning) {
    const found = Object.keys(run().answers).map((key) => key.split("/")).filter((key) => key[0] === learning && key[1] === method);
    return found.map((key) => Number(key[2])).sort((a, b) => a - b);
  }

  function refreshControls() {
    const here = run();
    const runs = data.runs.map((one, index) => [index, one]);
    fill("model", unique(data.runs.map((one) => one.model)).map((name) => [name, name]), here.model);
    const ofModel = runs.filter(([, one]) => one.model === here.model);
    fill("existing", unique(ofModel.map(([, one]) => one.existing)).map((name) => [name, name]), here.existing);
    fill("new", unique(ofModel.map(([, one]) => one.new)).map((name) => [name, name]), here.new);
    const keys = Object.keys(here.answers).map((key) => key.split("/"));
    const learnings = Object.keys(data.learning_labels).filter((name) => keys.some((key) => key[0] === name));
    state.learning = fill("learning", learnings.map((name) => [name, data.learning_labels[name]]), state.learning);
    const methods = unique(keys.filter((key) => key[0] === state.learning).map((key) => key[1]));
    const order = Object.keys(data.methods).filter((name) => methods.includes(name) && data.methods[name].by !== "none");
    state.utility = fill("utility", order.map((name) => [name, label(name)]), state.utility || "delift");
    const known = sizes(state.utility, state.learning);
    state.percent = Number(fill("percent", known.map((size) => [size, `${size} %`]), state.percent || 30));
    state.measure = fill("measure", data.measures.map((name) => [name, data.measure_labels[name]]), state.measure);
    const graded = state.measure === "judge_score";
    const range = get("threshold");
    range.min = graded ? 1 : 0;
    range.max = graded ? 5 : 1;
    range.value = state.threshold;
    state.threshold = Number(range.value);
    get("threshold-value").textContent = state.threshold.toFixed(2);
  }

  function chooseRun(changed) {
    // Keep as much of the other choices as there is data for.
    const wanted = { model: get("model").value, existing: get("existing").value, new: get("new").value };
    const fits = (one) => (one[changed] === wanted[changed] ? 8 : 0) + (one.model === wanted.model ? 4 : 0) + (one.new === wanted.new ? 2 : 0) + (one.existing === wanted.existing ? 1 : 0);
    const values = data.runs.map(fits);
    state.run = values.indexOf(Math.max(...values));
  }

  // ---- pictures

  const axis = { showgrid: false, zeroline: false, showticklabels: false, ticks: "", showline: false };
  const layout = (more) => ({
    margin: { l: 8, r: 8, t: 8, b: 30 }, xaxis: { ...axis }, yaxis: { ...axis }, hovermode: "closest", dragmode: "zoom",
    legend: { orientation: "h", x: 0, y: -0.02 }, modebar: { bgcolor: "rgba(0,0,0,0)", color: "#9a9d94", activecolor: "#0a5a96" }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, Segoe UI, Roboto, DejaVu Sans, sans-serif", size: 12, color: "#1b1c1e" }, ...more,
  });
  const config = { displaylogo: false, responsive: true, modeBarButtons: [["select2d", "lasso2d", "zoom2d", "pan2d", "resetScale2d"]] };

  function draw(id, traces, more) {
    Plotly.react(id, traces, layout(more), config);
    if (drawn.has(id)) return;
    drawn.add(id);
    const pick = (event) => event && event.points && event.points.length && showPoints(event.points.map((point) => point.customdata).filter(Boolean));
    get(id).on("plotly_click", pick);
    get(id).on("plotly_selected", pick);
  }

  // A point is told by its part and its place in it.
  function trace(part, places, more) {
    const points = run().points[part];
    return {
      type: "scatter", mode: "markers", hoverinfo: "text",
      x: places.map((i) => points.x[i]), y: places.map((i) => points.y[i]),
      text: places.map((i) => `<b>${plain(part)} ${plain(points.id[i])}</b><br>${short(points.prompt[i])}<br>→ ${short(points.output[i])}`),
      customdata: places.map((i) => [part, i]), ...more,
    };
  }

  const all = (part) => run().points[part].id.map((_, i) => i);
  const isKnown = (unit, i) => unit && unit[state.measure][i] !== null && unit[state.measure][i] >= state.threshold;

  function knowledge(unit) {
    const places = all("test");
    const yes = places.filter((i) => isKnown(unit, i)), no = places.filter((i) => !isKnown(unit, i));
    return [
      trace("test", no, { name: `not known (${no.length})`, marker: { color: UNKNOWN, symbol: "x", size: 7, opacity: 0.85 } }),
      trace("test", yes, { name: `known (${yes.length})`, marker: { color: KNOWN, symbol: "circle", size: 8, opacity: 0.85 } }),
    ];
  }

  const before = () => run().answers[Object.keys(run().answers).find((key) => {
    const [learning, method] = key.split("/");
    return learning === state.learning && data.methods[method].by === "none";
  })];
  const after = () => run().answers[`${state.learning}/${state.utility}/${state.percent}`];
  const mean = (values) => { const real = (values || []).filter((v) => v !== null); return real.length ? real.reduce((a, b) => a + b, 0) / real.length : null; };

  function drawKnowledge() {
    const units = [before(), after()];
    const choice = run().choices[`${state.utility}/${state.percent}`];
    draw("before", knowledge(units[0]));
    draw("after", knowledge(units[1]));
    const chosen = choice ? choice.places : [];
    const taken = new Set(chosen);
    // The first picks add far more than the rest: the scale ends where nine tenths of the gains do.
    const ranked = choice && choice.gains ? [...choice.gains].sort((a, b) => a - b) : [];
    const colors = choice && choice.gains
      ? { color: choice.gains, colorscale: "Viridis", cmin: 0, cmax: ranked[Math.floor(0.9 * (ranked.length - 1))] || 1, showscale: true, colorbar: { title: { text: "gain" }, thickness: 10, len: 0.8, outlinewidth: 0 } }
      : { color: data.methods[state.utility].color };
    draw("subset", [
      trace("pool", all("pool").filter((i) => !taken.has(i)), { name: "left out", marker: { color: REST, size: 6 } }),
      trace("pool", chosen, { name: "chosen", marker: { ...colors, size: 9, line: { width: 0.5, color: "#fff" } } }),
    ], { showlegend: true });
    const shares = units.map((unit) => (unit ? all("test").filter((i) => isKnown(unit, i)).length / all("test").length : null));
    get("before-title").textContent = `Before: ${run().model} as it is`;
    get("after-title").textContent = `After: ${data.learning_labels[state.learning]} on ${label(state.utility)}, ${state.percent} %`;
    get("subset-title").textContent = `Chosen subset: ${choice ? choice.n : 0} examples` + (choice && choice.gains ? ", coloured by gain" : "");
    const name = data.measure_labels[state.measure];
    get("summary").replaceChildren(
      `Stage ${run().stage} (${run().stage_label}), ${run().label}. Known means ${name} ≥ ${state.threshold.toFixed(2)}: `,
      strong(percentText(shares[0])), " of the test set before, ", strong(percentText(shares[1])), ` after; mean ${name} `,
      strong(number(mean(units[0] && units[0][state.measure]))), " and ", strong(number(mean(units[1] && units[1][state.measure]))),
      `. First seed of the run.`);
  }

  const percentText = (share) => (share === null ? "—" : `${(100 * share).toFixed(1)} %`);
  function strong(text) { const node = document.createElement("b"); node.textContent = text; return node; }

  function drawGain() {
    const values = run().objectives;
    const names = Object.keys(OBJECTIVES).filter((name) => values[name]);
    const known = unique(names.flatMap((name) => Object.values(values[name]).flatMap((one) => Object.keys(one).map(Number)))).sort((a, b) => a - b);
    get("gain-hint").textContent = names.length
      ? "Values per target on the utility kernel: left by size, right at the chosen size." + (run().stage === 1 ? " Stage 1 has no existing data, so there is neither conditional gain nor mutual information." : "")
      : "No utility kernel was computed for this pair and model.";
    if (known.length) state.size = Number(fill("size", known.map((size) => [size, `${size} %`]), state.size || state.percent));
    const wanted = names.flatMap((name) => [`curve-${name}`, `bars-${name}`]);
    const holder = get("gain-plots");
    const present = [...holder.querySelectorAll(".plot")].map((node) => node.id);
    if (present.join() !== wanted.join()) {
      present.forEach((id) => { Plotly.purge(id); drawn.delete(id); });
      holder.replaceChildren(...wanted.map((id) => {
        const figure = document.createElement("figure"), title = document.createElement("figcaption"), plot = document.createElement("div");
        plot.id = id;
        plot.className = "plot";
        title.id = `${id}-title`;
        figure.append(title, plot);
        return figure;
      }));
    }
    const shown = (on) => ({ ...axis, showticklabels: true, ticks: "outside", showline: true, automargin: true, ...on });
    for (const name of names) {
      const methods = Object.keys(data.methods).filter((method) => values[name][method]);
      const points = (method) => Object.entries(values[name][method]).map(([size, value]) => [Number(size), value]).sort((a, b) => a[0] - b[0]);
      draw(`curve-${name}`, methods.map((method) => ({
        type: "scatter", mode: "lines+markers", name: label(method), x: points(method).map((p) => p[0]), y: points(method).map((p) => p[1]),
        line: { color: data.methods[method].color }, hovertemplate: "%{x} %: %{y:.4f}",
      })), { xaxis: shown({ title: { text: "subset (% of the pool)" }, rangemode: "tozero" }), yaxis: shown({ showgrid: true, gridcolor: "#eee" }), margin: { l: 50, r: 10, t: 10, b: 60 }, legend: { orientation: "h", x: 0, y: -0.22 } });
      const at = methods.filter((method) => String(state.size) in values[name][method]);
      draw(`bars-${name}`, [{
        type: "bar", orientation: "h", y: at.map(label), x: at.map((method) => values[name][method][String(state.size)]),
        marker: { color: at.map((method) => data.methods[method].color) }, hovertemplate: "%{y}: %{x:.4f}<extra></extra>",
      }], { xaxis: shown({}), yaxis: shown({ autorange: "reversed" }), margin: { l: 110, r: 20, t: 10, b: 40 }, showlegend: false, bargap: 0.4 });
      get(`curve-${name}-title`).textContent = `${OBJECTIVES[name]} by size`;
      get(`bars-${name}-title`).textContent = `${OBJECTIVES[name]} at ${state.size} %`;
    }
  }

  function drawMap() {
    const parts = Object.keys(PARTS).filter((part) => run().points[part]);
    draw("map", parts.map((part) => trace(part, all(part), {
      name: `${PARTS[part][0]}: ${run().points[part].id.length}`, marker: { color: PARTS[part][1], symbol: PARTS[part][2], size: 7, opacity: 0.75 },
    })));
  }

  // ---- tables

  function cell(text, kind) {
    const node = document.createElement("td");
    node.textContent = text; // never as markup: it may hold anything
    if (kind) node.className = kind;
    return node;
  }

  function showPoints(points) {
    const units = [["before", before()], ["after", after()]];
    const name = data.measure_labels[state.measure];
    const heads = ["Set", "Id", "Prompt", "Reference answer", "Answer before", `${name} before`, "Answer after", `${name} after`, "Gain"];
    const table = get("selected");
    const head = document.createElement("tr");
    head.append(...heads.map((text, i) => { const node = document.createElement("th"); node.textContent = text; if ([5, 7, 8].includes(i)) node.className = "number"; return node; }));
    table.tHead.replaceChildren(head);
    const choice = run().choices[`${state.utility}/${state.percent}`];
    table.tBodies[0].replaceChildren(...points.slice(0, MOST_ROWS).map(([part, i]) => {
      const row = document.createElement("tr"), here = run().points[part];
      row.append(cell(PARTS[part][0]), cell(here.id[i]), cell(here.prompt[i], "text"), cell(here.output[i], "text"));
      for (const [, unit] of units) {
        if (part !== "test" || !unit) { row.append(cell("—", "text"), cell("—", "number")); continue; }
        row.append(cell(unit.text[i], "text"), cell(number(unit[state.measure][i]), `number ${isKnown(unit, i) ? "yes" : "no"}`));
      }
      const place = part === "pool" && choice ? choice.places.indexOf(i) : -1;
      row.append(cell(place < 0 ? "—" : choice.gains ? number(choice.gains[place], 4) : "chosen", "number"));
      return row;
    }));
    table.hidden = !points.length;
    get("selection-hint").textContent = points.length > MOST_ROWS
      ? `${points.length} points; the first ${MOST_ROWS} are shown.` : `${points.length} point${points.length === 1 ? "" : "s"} selected.`;
  }

  function drawExperiments() {
    const { metrics, rows } = data.experiments;
    const columns = [
      ["Pair", (r) => r.pair], ["Model", (r) => r.model], ["Learning", (r) => data.learning_labels[r.learning]], ["Subset", (r) => r.method],
      ["Size", (r) => r.percent, (r) => `${r.percent} %`],
      ...metrics.map((name) => [data.measure_labels[name].replace(/_/g, " "), (r) => (r.values[name] ? r.values[name][0] : -Infinity), (r) => r.values[name]]),
    ];
    const words = get("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = (r) => columns.slice(0, 5).map((c) => (c[2] ? c[2](r) : c[1](r))).join(" ").toLowerCase();
    let shown = rows.filter((r) => words.every((word) => text(r).includes(word)));
    if (state.sort) {
      const value = columns[state.sort.column][1], turn = state.sort.down ? -1 : 1;
      shown = [...shown].sort((a, b) => turn * (value(a) > value(b) ? 1 : value(a) < value(b) ? -1 : 0));
    }
    const table = get("experiments"), head = document.createElement("tr");
    head.append(...columns.map(([name], i) => {
      const node = document.createElement("th"), button = document.createElement("button");
      const here = state.sort && state.sort.column === i;
      if (i > 3) node.className = "number";
      node.setAttribute("aria-sort", here ? (state.sort.down ? "descending" : "ascending") : "none");
      button.type = "button";
      button.textContent = name + (here ? (state.sort.down ? " ↓" : " ↑") : "");
      button.addEventListener("click", () => { state.sort = { column: i, down: here ? !state.sort.down : i > 3 }; drawExperiments(); });
      node.append(button);
      return node;
    }));
    table.tHead.replaceChildren(head);
    table.tBodies[0].replaceChildren(...shown.map((r) => {
      const row = document.createElement("tr");
      row.append(...columns.map(([, value, print], i) => {
        if (i < 5) return cell(print ? print(r) : value(r), i > 3 ? "number" : "word");
        const found = print(r), node = cell(found ? number(found[0]) : "—", "number");
        if (found && found[1] !== null) {
          const spread = document.createElement("span");
          spread.className = "spread";
          spread.textContent = ` ± ${number(found[1])}`;
          node.append(spread);
        }
        return node;
      }));
      return row;
    }));
  }

  // ---- what happens when

  const DRAW = { knowledge: drawKnowledge, experiments: drawExperiments, gain: drawGain, map: drawMap };

  function refresh() {
    refreshControls();
    DRAW[state.view]();
  }

  function show(view) {
    state.view = view;
    for (const name of Object.keys(DRAW)) {
      get(`view-${name}`).hidden = name !== view;
      get(`tab-${name}`).setAttribute("aria-selected", String(name === view));
    }
    get("controls").hidden = view === "experiments";
    get("selection").hidden = view === "experiments" || view === "gain";
    for (const id of ["utility", "learning", "percent", "measure", "threshold"]) get(id).closest("label").hidden = view !== "knowledge";
    refresh();
  }

  function forget() {
    get("selected").hidden = true;
    get("selection-hint").textContent = "Click a point, or draw a box or a lasso, to read its text, the model's answers and their scores.";
  }

  for (const id of ["model", "existing", "new"]) get(id).addEventListener("change", () => { chooseRun(id); forget(); refresh(); });
  for (const id of ["utility", "learning", "measure"]) get(id).addEventListener("change", () => {
    state[id] = get(id).value;
    if (id === "measure") state.threshold = state.measure === data.known.measure ? data.known.threshold : state.measure === "judge_score" ? 4 : 0.7;
    forget();
    refresh();
  });
  get("percent").addEventListener("change", () => { state.percent = Number(get("percent").value); forget(); refresh(); });
  get("size").addEventListener("change", () => { state.size = Number(get("size").value); refresh(); });
  get("threshold").addEventListener("input", () => { state.threshold = Number(get("threshold").value); refresh(); });
  get("find").addEventListener("input", drawExperiments);
  get("controls").addEventListener("submit", (event) => event.preventDefault());
  for (const name of Object.keys(DRAW)) get(`tab-${name}`).addEventListener("click", () => show(name));
  show("knowledge");
})();
