// Shows a run while it goes on. Every figure is the replayer's: what is computed here is how a number
// is written, and where it stands.
//
// Names come from the target, so text goes into the page as text only.
"use strict";

(() => {
  const find = (id) => document.getElementById(id);
  function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }
  /** Writes a text where it is another one. */
  function write(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  // ---- Numbers and times, as in the report ----

  const [none, one, two] = [0, 1, 2].map((decimals) =>
    new Intl.NumberFormat("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));

  function number(value) {
    if (value == null) return "–";
    const size = Math.abs(value);
    return (Number.isInteger(value) || size >= 99.95 ? none : size >= 9.995 ? one : two).format(value);
  }

  const withUnit = (value, unit) => (value == null ? "–" : `${number(value)} ${unit}`.trim());

  function clock(seconds) {
    const whole = Math.floor(seconds);
    const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    const two = (part) => String(part).padStart(2, "0");
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  }

  function bytes(value) {
    for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
      if (value >= size) return withUnit(value / size, unit);
    }
    return withUnit(value, "B");
  }

  /** A little above the highest value, at one of the first two digits. */
  function top(most) {
    if (!(most > 0)) return 1;
    const step = 10 ** Math.floor(Math.log10(most * 1.04)) / 2;
    return Math.ceil((most * 1.04) / step) * step;
  }

  // ---- What is told to screen readers: changes, and no second by itself ----

  const unsaid = new Map();
  let speaking;
  /** Says a text, and of several on a subject that come at once the last. */
  function say(text, subject = text) {
    unsaid.set(subject, text);
    clearTimeout(speaking);
    speaking = setTimeout(() => {
      write(find("spoken"), [...unsaid.values()].join(". "));
      unsaid.clear();
    }, 250);
  }

  const told = new Map();
  /** Says what changed of a thing, but for the first time. */
  function tell(what, text) {
    const before = told.get(what);
    told.set(what, text);
    if (before !== undefined && before !== text) say(`${what}: ${text}`, what);
  }

  // ---- The run ----

  const SECOND = 0;
  const COLUMNS = 11;
  let head = null;
  let now = null;
  /** The columns of the points, by their places. */
  let columns = Array.from({ length: COLUMNS }, () => []);

  function take(points) {
    for (const point of points) point.forEach((value, column) => columns[column].push(value));
  }

  // ---- Work, a piece a frame ----

  const work = new Map();
  let isAtWork = false;
  function soon(what, run) {
    work.set(what, run);
    if (isAtWork) return;
    isAtWork = true;
    requestAnimationFrame(next);
  }
  function next() {
    const [first] = work;
    if (first) {
      const [what, run] = first;
      work.delete(what);
      run();
    }
    isAtWork = work.size > 0;
    if (isAtWork) requestAnimationFrame(next);
  }

  const AT_ONCE = 50;
  /** Writes some rows of a table from one on, and the others in frames to come: all at once would hold up a frame. */
  function writeRows(table, from, count, writeRow) {
    const to = Math.min(from + AT_ONCE, count);
    for (let at = from; at < to; at += 1) writeRow(at);
    const isDone = to >= count;
    if (isDone) work.delete(table);
    else soon(table, () => writeRows(table, to, count, writeRow));
    table.ariaBusy = isDone ? null : "true";
  }

  // ---- Head, tiles and small tables ----

  function showTiles(list, entries) {
    if (list.children.length !== entries.length) {
      list.replaceChildren(...entries.map(([name]) =>
        make("div", {}, make("dt", { textContent: name }), make("dd"))));
    }
    entries.forEach(([name, text, key, good], index) => {
      const [dt, dd] = list.children[index].children;
      write(dt, name);
      write(dd, text);
      if (key) dd.dataset.of = key;
      dd.className = good === undefined ? "" : good ? "good" : "bad";
    });
  }

  const STATES = { waiting: "waiting", running: "running", stopping: "stopping", ended: "ended" };

  function showHead() {
    const { state, conclusion, phase, second, planned_s, validity, reason, notes } = now;
    if (head) {
      document.title = `${head.name}, live`;
      write(find("name"), head.name);
      const profile = head.profile === "quick" ? ", quick profile" : "";
      write(find("about"), `${head.load}${profile} → ${head.target}`);
    }
    const end = planned_s == null ? "" : ` of ${clock(planned_s)}`;
    const at = second == null ? "" : `, ${clock(second + 1)}${state === "ended" ? "" : end}`;
    const what = state === "ended" ? conclusion : state === "running" && phase ? phase : STATES[state];
    write(find("state"), `${what}${at}`);
    find("state").className = conclusion === "PASSED" ? "good" : ["FAILED", "INVALID", "SUSPECT"].includes(conclusion) ? "bad" : "";
    tell("State", state === "ended" ? `ended, ${conclusion}${reason ? `: ${reason}` : ""}` : what);
    write(find("validity"), validity ? validity.state : "–");
    find("validity").className = !validity ? "" : validity.state === "VALID" ? "good" : "bad";
    if (validity) tell("Validity", validity.state);
    const said = [...new Set([...(reason ? [reason] : []), ...notes, ...(validity?.reasons ?? [])])];
    const list = find("notes");
    list.hidden = said.length === 0;
    if (list.textContent !== said.join("")) list.replaceChildren(...said.map((text) => make("li", { textContent: text })));
    const isOver = !["running", "stopping"].includes(state);
    find("stop").disabled = state !== "running" && state !== "waiting";
    find("abort").disabled = isOver;
    for (const field of find("mark").elements) field.disabled = isOver;
  }

  function showFigures() {
    const { latency, lag } = now;
    showTiles(find("tiles"), [
      ["Planned so far", number(now.planned), "planned"],
      ["Sent", number(now.sent), "sent"],
      ["Done", number(now.done), "done"],
      ["Failed", number(now.failed), "failed", now.failed ? false : undefined],
      ["Response p50", withUnit(latency.p50, "ms"), "p50"],
      ["p95", withUnit(latency.p95, "ms"), "p95"],
      ["p99", withUnit(latency.p99, "ms"), "p99"],
      ["Longest", withUnit(latency.max, "ms"), "max"],
      ["Users", number(now.users), "users"],
      ["In flight", number(now.in_flight), "in_flight"],
    ]);
    showTiles(find("generator"), [
      ["Lag p50", withUnit(lag.p50, "ms"), "lag_p50"],
      ["Lag p99", withUnit(lag.p99, "ms"), "lag_p99"],
      ["Longest lag", withUnit(lag.max, "ms"), "lag_max"],
      ["Processor", withUnit(now.cpu_percent, "%"), "cpu"],
      ["Memory", bytes(now.rss_bytes), "rss"],
    ]);
  }

  /** Rows of texts, the first of which is the row's head; a cell may be [text, class]. What is sorted
   * otherwise is written anew: to move rows would lay out all of them. */
  function showRows(table, rows, nothing) {
    const body = table.tBodies[0];
    const width = table.tHead.rows[0].cells.length;
    if (!rows.length) {
      writeRows(table, 0, 0);
      if (body.rows.length !== 1 || !body.querySelector(".none")) {
        body.replaceChildren(make("tr", {}, make("td", { className: "none", colSpan: width, textContent: nothing })));
      }
      return;
    }
    if (body.querySelector(".none")) body.replaceChildren();
    while (body.rows.length > rows.length) body.lastChild.remove();
    writeRows(table, 0, rows.length, (at) => {
      const row = body.rows[at] ?? body.insertRow();
      rows[at].forEach((cell, column) => {
        const [text, look] = Array.isArray(cell) ? cell : [cell, ""];
        const place = row.cells[column] ?? row.appendChild(column ? make("td") : make("th", { scope: "row" }));
        write(place, text);
        if (place.className !== look) place.className = look;
      });
    });
  }

  const RESULTS = { met: ["✓ met", "good"], missed: ["✗ missed", "bad"], "not-judged": ["not judged", ""] };

  function showVerdicts() {
    const rows = now.verdicts.map(({ expectation, measured, result }) => [expectation, measured, RESULTS[result]]);
    showRows(find("verdicts"), rows, "Nothing is expected");
    for (const { expectation, result } of now.verdicts) tell(expectation, RESULTS[result][0]);
  }

  function sampleOf(sample) {
    if (!sample) return "";
    const parts = [sample.persona, sample.lacks && `lacks ${sample.lacks}`, sample.body];
    return parts.filter(Boolean).join(": ");
  }

  function showFailures() {
    const rows = now.failures.map(({ endpoint, error, count, first, last, sample }) => [
      endpoint,
      error,
      [number(count), "n"],
      first == null ? "–" : last == null || last === first ? clock(first) : `${clock(first)} – ${clock(last)}`,
      sampleOf(sample),
    ]);
    showRows(find("failures"), rows, "None so far");
    tell("Kinds of failures", String(now.failures.length));
  }

  const valueOf = (metric, value) =>
    metric.endsWith("_bytes") ? bytes(value) : metric.endsWith("_percent") ? withUnit(value, "%") : number(value);

  function showWorkers() {
    find("of-workers").hidden = now.workers.length === 0;
    const ms = (us) => (us == null ? "–" : number(us / 1e3));
    const rows = now.workers.map(({ shard, name, state, offset_us, bound_us, silent_s, lag_p99_us }) => [
      String(shard),
      name || "–",
      [state, ["lost", "failed"].includes(state) ? "bad" : ""],
      [offset_us == null ? "–" : `${ms(offset_us)} ± ${ms(bound_us)}`, "n"],
      [number(silent_s), "n"],
      [ms(lag_p99_us), "n"],
    ]);
    showRows(find("workers"), rows, "None");
    const lost = now.workers.filter(({ state }) => state === "lost").map(({ shard }) => shard);
    tell("Workers lost", lost.length ? `shards ${lost.join(", ")}` : "none");
  }

  function showOthers() {
    const observed = Object.entries(now.observed).map(([metric, value]) => [metric, [valueOf(metric, value), "n"]]);
    showRows(find("observed"), observed, "Nothing is observed");
    showRows(find("marks"), now.marks.map(({ second, label }) => [clock(second), label]), "None so far");
    tell("Marks", String(now.marks.length));
  }

  // ---- Endpoints ----

  const NUMBERS = [
    ["Requests", (row) => row[0]],
    ["Failed", (row) => row[1]],
    ["Failed, %", (row) => (row[0] ? (row[1] / row[0]) * 100 : null)],
    ["Rate, /s", (row) => row[2]],
    ["Now, /s", (row) => row[3]],
    ["p50, ms", (row) => row[4]],
    ["p95, ms", (row) => row[5]],
    ["p99, ms", (row) => row[6]],
    ["Max, ms", (row) => row[7]],
  ];
  const SEARCHABLE = 12;
  const words = new Intl.Collator("en", { numeric: true });
  /** By which column, 0 being the name, and which way: 1 up, -1 down. */
  let sorted = { column: 1, direction: -1 };

  const headRow = find("endpoints").tHead.rows[0];
  ["Endpoint", ...NUMBERS.map(([name]) => name)].forEach((name, column) => {
    const button = make("button", { type: "button", textContent: name });
    headRow.append(make("th", { scope: "col", className: column ? "n" : "" }, button));
    button.addEventListener("click", () => {
      const first = column ? -1 : 1;
      sorted = { column, direction: sorted.column === column ? -sorted.direction : first };
      showEndpoints();
    });
  });
  find("filter").addEventListener("input", showEndpoints);

  function showEndpoints() {
    if (!head || !now) return;
    const { column, direction } = sorted;
    [...headRow.cells].forEach((cell, at) => {
      cell.ariaSort = at === column ? (direction > 0 ? "ascending" : "descending") : null;
    });
    const all = head.endpoints.map((name, at) => [name, ...NUMBERS.map(([, of]) => of(now.endpoints[at]))]);
    document.querySelector(".filter").hidden = all.length < SEARCHABLE;
    const wanted = find("filter").value.trim().toLowerCase();
    const shown = all.filter(([name]) => name.toLowerCase().includes(wanted));
    shown.sort((a, b) => {
      const [one, other] = [a[column], b[column]];
      if (!column) return direction * words.compare(one, other);
      // Nothing is neither more nor less than something.
      if (one == null || other == null) return (one == null) - (other == null);
      return direction * (one - other);
    });
    write(find("found"), wanted ? `${number(shown.length)} of ${number(all.length)}` : "");
    const rows = shown.map(([name, ...values]) => [name, ...values.map((value) => [number(value), "n"])]);
    showRows(find("endpoints"), rows, wanted ? "None has that in its name" : "None so far");
  }

  // ---- Charts ----

  const CHARTS = [
    { title: "Throughput", unit: "/s", lines: [["Sent", 3, "6 4"], ["Done", 4]] },
    { title: "Response times", unit: "ms", lines: [["p50", 6], ["p95", 7, "8 4"], ["p99", 8, "2 3"]] },
    { title: "Users and requests in flight", unit: "", lines: [["Users", 1], ["In flight", 2, "6 4"]] },
    { title: "Failures", unit: "/s", lines: [["Failed", 5]] },
  ];
  const TABLE_ROWS = 600;
  const CLOSEST = 5; // seconds that a zoom shows at least

  const palette = {};
  function readPalette() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["soft", "grid", "axis", "shade", "note", "c0", "c1", "c2"]) palette[name] = style.getPropertyValue(`--${name}`);
  }
  readPalette();

  /** What all charts show: null for all there is. */
  let zoom = null;
  const lastSecond = () => Math.max(columns[SECOND].at(-1) ?? 0, 10);
  const range = () => zoom ?? [0, lastSecond()];
  const charts = [];

  function show(from, to) {
    const end = lastSecond();
    const width = Math.min(Math.max(to - from, CLOSEST), end);
    const start = Math.min(Math.max((from + to - width) / 2, 0), end - width);
    zoom = width < end ? [start, start + width] : null;
    for (const { plot } of charts) plot.setScale("x", { min: 0, max: 1 }); // range() has the limits
  }

  function makeSwatch(dash, index) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const path = document.createElementNS(svg.namespaceURI, "path");
    const set = (element, attributes) =>
      Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    set(svg, { width: 22, height: 10, "aria-hidden": "true" });
    set(path, { d: "M0 5H22", stroke: `var(--c${index})`, "stroke-width": 3, "stroke-dasharray": dash ?? "none" });
    svg.append(path);
    return svg;
  }

  function makeChart({ title, unit, lines }) {
    const time = make("span", { className: "value" });
    const values = lines.map(() => make("span", { className: "value" }));
    const entries = lines.map(([name, , dash], index) => make("li", {}, makeSwatch(dash, index), name, " ", values[index]));
    const legend = make("ul", { className: "legend" }, ...entries, make("li", {}, time));
    const place = make("div", { className: "plot" });
    const label = unit ? `${title}, ${unit}` : title;
    const figure = make("figure", {}, make("figcaption", {}, make("strong", { textContent: label }), legend), place);
    const data = () => [columns[SECOND], ...lines.map(([, column]) => columns[column])];

    function readOut(plot) {
      const at = plot.cursor.idx ?? columns[SECOND].length - 1;
      time.textContent = at < 0 ? "" : clock(columns[SECOND][at]);
      values.forEach((value, line) => (value.textContent = withUnit(columns[lines[line][1]][at], unit)));
    }

    function drawMarks({ ctx, bbox, valToPos }) {
      ctx.save();
      ctx.strokeStyle = ctx.fillStyle = palette.note;
      ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
      for (const { second, label } of now?.marks ?? []) {
        const x = valToPos(second, "x", true);
        if (x < bbox.left || x > bbox.left + bbox.width) continue;
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
        const isRight = x > bbox.left + bbox.width * 0.7;
        ctx.textAlign = isRight ? "right" : "left";
        ctx.fillText(label.length > 24 ? `${label.slice(0, 23)}…` : label, x + (isRight ? -4 : 4) * devicePixelRatio, bbox.top + 12 * devicePixelRatio);
      }
      ctx.restore();
    }

    function shadePlateau({ ctx, bbox, valToPos }) {
      if (!head) return;
      const { start_s, end_s } = head.plateau;
      const [from, to] = [start_s, Math.min(end_s, lastSecond() + 1)].map((second) =>
        Math.min(Math.max(valToPos(second, "x", true), bbox.left), bbox.left + bbox.width));
      ctx.fillStyle = palette.shade;
      ctx.fillRect(from, bbox.top, Math.max(to - from, 0), bbox.height);
    }

    const edge = { stroke: () => palette.axis, width: 1 };
    const axis = { font: "12px system-ui, sans-serif", stroke: () => palette.soft, border: { show: true, ...edge }, ticks: { ...edge, size: 5 } };
    const plot = new uPlot(
      {
        width: 400, // until it is in the page
        height: 220,
        padding: [8, 14, 0, 0],
        legend: { show: false },
        scales: { x: { time: false, range }, y: { range: (plot, least, most) => [0, top(most)] } },
        series: [
          {},
          ...lines.map(([, , dash], index) => ({
            width: 2,
            stroke: () => palette[`c${index}`],
            dash: dash?.split(" ").map(Number),
            points: { show: (plot) => plot.data[0].length < 3, size: 5, fill: () => palette[`c${index}`] },
          })),
        ],
        axes: [
          { ...axis, space: 64, incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200], grid: { show: false }, size: 30, values: (plot, seconds) => seconds.map(clock) },
          { ...axis, space: 28, size: 58, grid: { stroke: () => palette.grid, width: 1 }, values: (plot, values) => values.map((value) => value.toLocaleString("en")) },
        ],
        cursor: {
          y: false,
          drag: { x: true, y: false, setScale: false, dist: 5 },
          bind: { dblclick: () => () => show(0, Infinity) },
          sync: { key: "live", scales: ["x", null], setSeries: false, filters: { pub: (type) => type === "mousemove" } },
        },
        hooks: {
          drawClear: [shadePlateau],
          draw: [drawMarks],
          setSelect: [(plot) => {
            const { left, width } = plot.select;
            if (!width) return;
            show(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          }],
          setLegend: [readOut],
        },
      },
      data(),
      place,
    );

    Object.assign(plot.over, { tabIndex: 0, role: "application", ariaRoleDescription: "chart", ariaLabel: label });
    plot.over.setAttribute("aria-describedby", "hint");
    plot.over.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !onKey(event, plot)) return;
      event.preventDefault();
      const { idx } = plot.cursor;
      if (idx == null) return;
      const read = lines.map(([name, column]) => `${name} ${withUnit(columns[column][idx], unit)}`);
      say(`${clock(columns[SECOND][idx])}: ${read.join(", ")}`, "cursor");
    });

    // ---- Its table ----

    const table = make("table");
    const headRow = table.createTHead().insertRow();
    ["Time", ...lines.map(([name]) => (unit ? `${name}, ${unit}` : name))].forEach((name, at) =>
      headRow.append(make("th", { scope: "col", className: at ? "n" : "", textContent: name })));
    const body = table.createTBody();
    const note = make("p", { className: "hint" });
    const region = make("div", { className: "table", tabIndex: 0, role: "group", ariaLabel: `${title}, as a table` }, table);
    const details = make("details", {}, make("summary", { textContent: "As a table" }), note, region);
    figure.append(details);
    let every = 0;

    function showTable() {
      if (!details.open) return;
      const seconds = columns[SECOND];
      const wanted = Math.max(Math.ceil(seconds.length / TABLE_ROWS), 1);
      if (wanted !== every || body.rows.length * every > seconds.length + every) {
        every = wanted;
        body.replaceChildren();
        write(note, every > 1 ? `One row of every ${every}.` : "");
      }
      writeRows(table, body.rows.length, Math.ceil(seconds.length / every), (at) => {
        const row = body.insertRow();
        row.insertCell().textContent = clock(seconds[at * every]);
        for (const [, column] of lines) Object.assign(row.insertCell(), { className: "n", textContent: number(columns[column][at * every]) });
      });
    }
    details.addEventListener("toggle", showTable);

    let isInView = true;
    const chart = {
      figure,
      plot,
      empty() {
        body.replaceChildren();
        writeRows(table, 0, 0);
      },
      draw() {
        if (isInView) plot.setData(data());
        if (plot.cursor.idx == null) readOut(plot);
        showTable();
      },
    };
    new IntersectionObserver(([{ isIntersecting }]) => {
      isInView = isIntersecting;
      if (isInView) soon(title, chart.draw);
    }, { rootMargin: "100px" }).observe(figure);
    new ResizeObserver(() => {
      const width = place.clientWidth;
      if (width && width !== plot.width) plot.setSize({ width, height: plot.height });
    }).observe(place);
    return chart;
  }

  /** Does what a key asks for; false where it asks for nothing. */
  function onKey({ key, shiftKey }, plot) {
    const seconds = columns[SECOND];
    if (!seconds.length) return false;
    const [from, to] = range();
    const at = plot.cursor.idx;
    const step = shiftKey ? 10 : 1;
    const moves = {
      ArrowLeft: () => (at == null ? seconds.findLastIndex((second) => second <= to) : at - step),
      ArrowRight: () => (at == null ? seconds.findIndex((second) => second >= from) : at + step),
      Home: () => seconds.findIndex((second) => second >= from),
      End: () => seconds.findLastIndex((second) => second <= to),
    };
    if (moves[key]) {
      const index = Math.min(Math.max(moves[key](), 0), seconds.length - 1);
      const second = seconds[index];
      // What is zoomed follows the cursor.
      const shift = Math.min(second - from, 0) + Math.max(second - to, 0);
      if (shift) show(from + shift, to + shift);
      plot.setCursor({ left: Math.max(plot.valToPos(second, "x"), 0), top: plot.over.clientHeight / 2 }, true, true);
      return true;
    }
    const factor = { "+": 0.5, "=": 0.5, "-": 2, "−": 2 }[key];
    if (factor) {
      const middle = at == null ? (from + to) / 2 : seconds[at];
      show(middle + (from - middle) * factor, middle + (to - middle) * factor);
      return true;
    }
    if (key !== "Escape") return false;
    show(0, Infinity);
    return true;
  }

  // Once the page is painted, for which nobody has to wait for four charts.
  requestAnimationFrame(() => setTimeout(() => {
    charts.push(...CHARTS.map(makeChart));
    find("charts").append(...charts.map(({ figure }) => figure));
    showCharts();
  }));

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readPalette();
    for (const { plot } of charts) plot.redraw(false);
  });

  // ---- What happens ----

  function showAll() {
    soon("head", showHead);
    soon("figures", showFigures);
    soon("verdicts", showVerdicts);
    soon("endpoints", showEndpoints);
    soon("failures", showFailures);
    soon("workers", showWorkers);
    soon("others", showOthers);
    showCharts();
  }
  function showCharts() {
    charts.forEach((chart, at) => soon(CHARTS[at].title, chart.draw));
  }

  function trouble(text) {
    const element = find("trouble");
    if (text && element.hidden) say(text);
    write(element, text);
    element.hidden = !text;
  }

  const RETRY_MS = 2000;
  let source;
  function connect() {
    source?.close();
    source = new EventSource("/events");
    source.addEventListener("open", () => trouble(""));
    source.addEventListener("snapshot", ({ data }) => {
      const whole = JSON.parse(data);
      const isOther = whole.now.run !== now?.run;
      ({ head, now } = whole);
      columns = Array.from({ length: COLUMNS }, () => []);
      take(whole.history.points);
      if (isOther) zoom = null;
      for (const chart of charts) chart.empty();
      showAll();
    });
    source.addEventListener("second", ({ data }) => {
      const next = JSON.parse(data);
      // Of another run than the one that this page knows all of: all anew.
      if (next.now.run !== now?.run) return connect();
      now = next.now;
      if (next.point) take([next.point]);
      showAll();
    });
    source.addEventListener("error", () => {
      if (now?.state === "ended") {
        source.close();
        trouble("The replayer has ended. This is how the run ended.");
        return;
      }
      trouble("The connection to the replayer is lost; trying again.");
      // The browser tries again by itself, but for answers that are none.
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
    });
  }

  // ---- What is asked for ----

  const inAddress = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (inAddress) {
    sessionStorage.setItem("token", inAddress);
    // Not to be read off the screen, or kept with the address.
    history.replaceState(null, "", location.pathname);
  }
  const token = sessionStorage.getItem("token");
  find("do").hidden = !token;

  async function ask(path, body) {
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    try {
      const response = await fetch(path, { method: "POST", headers, body: body && JSON.stringify(body) });
      if (!response.ok) trouble(`${path.slice(1)}: ${(await response.text()).trim()}`);
      return response.ok;
    } catch {
      trouble(`${path.slice(1)}: the replayer does not answer`);
      return false;
    }
  }

  find("stop").addEventListener("click", async () => {
    if (await ask("/stop")) say("Stopping");
  });
  find("abort").addEventListener("click", async () => {
    if (await ask("/abort")) say("Aborting");
  });
  find("mark").addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = find("label");
    if (await ask("/mark", { label: field.value })) field.value = "";
  });

  connect();
})();
