// The report is complete without this script. It makes tables sortable and long ones
// searchable, and puts charts that can be read and zoomed in place of drawn ones.
//
// Names in a report come from the target, so text goes into the page as text only.
"use strict";

(() => {
  function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  // ---- Numbers and times ----

  const [none, one, two] = [0, 1, 2].map((decimals) =>
    new Intl.NumberFormat("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));

  /** As in the report's tables: about three digits. */
  function number(value) {
    const size = Math.abs(value);
    return (Number.isInteger(value) || size >= 99.95 ? none : size >= 9.995 ? one : two).format(value);
  }

  /** 83.5 as 1:23, the second that it lies in. */
  function clock(seconds) {
    const whole = Math.floor(seconds);
    const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    const two = (part) => String(part).padStart(2, "0");
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  }

  /** A little above the highest value, at one of the first two digits; as the drawn charts have it. */
  function top(most) {
    if (!(most > 0)) return 1;
    const step = 10 ** Math.floor(Math.log10(most * 1.04)) / 2;
    return Math.ceil((most * 1.04) / step) * step;
  }

  const unitOf = (label) => (label.includes(",") ? label.slice(label.lastIndexOf(",") + 1).trim() : "");
  const withUnit = (value, unit) => (value == null ? "–" : `${number(value)} ${unit}`.trim());

  // ---- Tables ----

  const SORTABLE = 3; // rows, at least
  const SEARCHABLE = 12;
  const AT_ONCE = 100; // rows; thousands would take a second to lay out, after every sort

  const UNITS = new Map([
    ["", ["plain", 1]],
    ["%", ["share", 1]],
    ["µs", ["time", 1e-6]],
    ["ms", ["time", 1e-3]],
    ["s", ["time", 1]],
    ["min", ["time", 60]],
    ["h", ["time", 3600]],
    ["B", ["bytes", 1]],
    ["KiB", ["bytes", 2 ** 10]],
    ["MiB", ["bytes", 2 ** 20]],
    ["GiB", ["bytes", 2 ** 30]],
    ["TiB", ["bytes", 2 ** 40]],
  ]);
  const NOTHING = new Set(["", "–", "—", "-"]);
  const words = new Intl.Collator("en", { numeric: true });

  /** What a cell like "≥ 1,234.5 ms", "1 h 30 min" or "< 0.01 %" says; null where it is no number. */
  function measure(text) {
    const perSecond = text.endsWith("/s");
    const sign = /^[<>≥≤]?/.exec(text)[0];
    const rest = text.slice(sign.length, perSecond ? -2 : undefined).trim();
    const part = /\s*(-?\d[\d,]*(?:\.\d+)?)\s*([A-Za-zµ%]*)/y;
    let kind = null;
    let value = 0;
    while (part.lastIndex < rest.length) {
      const found = part.exec(rest);
      const [kindHere, factor] = UNITS.get(found?.[2]) ?? [];
      // Only times are written in parts.
      if (!kindHere || (kind && !(kind === "time" && kindHere === "time"))) return null;
      kind = kindHere;
      value += Number(found[1].replaceAll(",", "")) * factor;
    }
    // "≥ 5" and "> 5" come after "5", "< 5" before it.
    const side = sign === "" ? 0 : "<≤".includes(sign) ? -1 : 1;
    return kind && { kind: perSecond ? `${kind}/s` : kind, value, side };
  }

  /** For each row its place by a column, null where there is nothing in it. */
  function rankColumn(rows, index) {
    const texts = rows.map((row) => {
      const text = row.cells[index]?.textContent.trim() ?? "";
      return NOTHING.has(text) ? null : text;
    });
    const filled = [...texts.keys()].filter((row) => texts[row] !== null);
    const measured = texts.map((text) => text && measure(text));
    // What is measured in different kinds of units has no order by number.
    const kinds = new Set(filled.map((row) => measured[row]?.kind));
    const isNumber = kinds.size === 1 && !kinds.has(undefined);
    const compare = isNumber
      ? (a, b) => measured[a].value - measured[b].value || measured[a].side - measured[b].side
      : (a, b) => words.compare(texts[a], texts[b]);

    const ranks = texts.map(() => null);
    let rank = 0;
    filled.sort(compare).forEach((row, place) => {
      if (place && compare(filled[place - 1], row)) rank += 1;
      ranks[row] = rank;
    });
    return { isNumber, ranks };
  }

  const isSum = (row) => /^(sum|total)\b/i.test(row.cells[0]?.querySelector("strong")?.textContent ?? "");

  /** The rows of a table, in the order and with the selection that the reader asked for. */
  class View {
    matches = () => true;

    constructor(table, limit) {
      this.body = table.tBodies[0];
      this.original = [...this.body.rows];
      this.rows = this.original;
      this.region = table.closest(".table") ?? table;
      this.limit = this.rows.length > limit ? limit : Infinity;
      if (this.limit < Infinity) this.addMore();
      // Paper has room for all, and no field that says what was left out.
      addEventListener("beforeprint", () => this.body.replaceChildren(...this.original));
      addEventListener("afterprint", () => this.show());
    }

    addMore() {
      this.more = make("button", { type: "button", className: "more" }, `Show all ${number(this.rows.length)} rows`);
      this.more.addEventListener("click", () => {
        this.limit = Infinity;
        this.show();
        this.region.focus();
      });
      this.region.after(this.more);
      this.show();
    }

    /** Returns how many rows match; those beyond the limit wait outside of the page. */
    show() {
      const matching = this.rows.filter(this.matches);
      this.body.replaceChildren(...matching.slice(0, this.limit));
      if (this.more) this.more.hidden = matching.length <= this.limit;
      return matching.length;
    }
  }

  function makeSortable(table, view) {
    const rows = view.original.filter((row) => !isSum(row));
    const sums = view.original.filter(isSum);
    const columns = new Map();
    const heads = [...table.tHead.rows[0].cells];

    function sort(head, index) {
      if (!columns.has(index)) columns.set(index, rankColumn(rows, index));
      const { isNumber, ranks } = columns.get(index);
      // Of numbers most people look for the highest first.
      const cycle = isNumber ? ["descending", "ascending", null] : ["ascending", "descending", null];
      const order = cycle[(cycle.indexOf(head.ariaSort) + 1) % cycle.length];
      for (const other of heads) other.ariaSort = null;
      head.ariaSort = order;
      view.rows = order ? sorted(ranks, order === "ascending" ? 1 : -1) : view.original;
      view.show();
    }

    function sorted(ranks, direction) {
      const places = [...rows.keys()].sort((a, b) => {
        // Nothing is neither more nor less than something: it is last in both directions.
        if (ranks[a] === null || ranks[b] === null) return (ranks[a] === null) - (ranks[b] === null);
        return direction * (ranks[a] - ranks[b]);
      });
      return [...places.map((place) => rows[place]), ...sums];
    }

    heads.forEach((head, index) => {
      if (!head.textContent.trim()) return;
      const button = make("button", { type: "button" }, ...head.childNodes);
      button.addEventListener("click", () => sort(head, index));
      head.append(button);
    });
  }

  function makeSearchable(view) {
    const name = view.region.ariaLabel ?? "the table";
    const input = make("input", { type: "search", ariaLabel: `Filter rows of ${name}` });
    const count = make("span", { ariaLive: "polite" });
    let texts = null;
    const textOf = (row) => Array.from(row.cells, (cell) => cell.textContent).join("\n").toLowerCase();

    input.addEventListener("input", () => {
      texts ??= new Map(view.original.map((row) => [row, textOf(row)]));
      const wanted = input.value.trim().toLowerCase();
      view.matches = (row) => texts.get(row).includes(wanted);
      const found = view.show();
      count.textContent = wanted ? `${number(found)} of ${number(texts.size)} rows` : "";
    });
    view.region.before(make("div", { className: "filter" }, make("label", {}, "Filter rows", input), count));
  }

  function enhance(table) {
    if (!table.tHead?.textContent.trim() || !table.tBodies.length) return;
    const view = new View(table, AT_ONCE);
    if (view.original.length >= SORTABLE) makeSortable(table, view);
    if (view.original.length >= SEARCHABLE) makeSearchable(view);
  }

  for (const table of document.querySelectorAll("main table")) enhance(table);

  // ---- Charts ----

  const CLOSEST = 2; // seconds that a zoom shows at least
  const TABLE_ROWS = 600; // at most
  const HINT = "Drag to zoom, double-click for all. Keys: ← → Home End move, + − zoom, Esc for all.";

  const palette = {};
  function readPalette() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["soft", "grid", "axis", "shade"]) palette[name] = style.getPropertyValue(`--${name}`);
  }
  readPalette();

  // Spoken only after the last of several quick moves.
  const spoken = make("div", { className: "spoken", ariaLive: "polite" });
  let speaking;
  function say(text) {
    clearTimeout(speaking);
    speaking = setTimeout(() => (spoken.textContent = text), 250);
  }

  /** Charts of one run, which show the same seconds. */
  class Group {
    plots = new Set();
    resetButtons = [];

    constructor(name, length) {
      this.name = name;
      this.length = length;
      this.range = [0, length];
    }

    get isZoomed() {
      return this.range[1] - this.range[0] < this.length;
    }

    show(from, to) {
      const width = Math.min(Math.max(to - from, CLOSEST), this.length);
      const start = Math.min(Math.max((from + to - width) / 2, 0), this.length - width);
      this.range = [start, start + width];
      // The scale's range is this.range, whatever limits are given here.
      for (const plot of this.plots) plot.batch(() => plot.setScale("x", { min: start, max: start + width }));
      for (const button of this.resetButtons) button.hidden = !this.isZoomed;
    }

    reset() {
      this.show(0, this.length);
    }
  }

  const groups = new Map();
  function groupOf(chart) {
    if (!groups.has(chart.group)) groups.set(chart.group, new Group(chart.group, chart.length_s));
    return groups.get(chart.group);
  }

  // A little less pale than on paper, to be seen on dark grounds too.
  const LOOKS = { thin: { width: 2 }, wide: { width: 6, alpha: 0.45 }, filled: { width: 2 } };
  const dashes = (line) => line.dash?.split(/[ ,]+/).map(Number);

  /** Points between two gaps, which no line would show. */
  const alone = (values) =>
    [...values.keys()].filter((at) => values[at] != null && values[at - 1] == null && values[at + 1] == null);

  function seriesOf(line, swatch) {
    const single = alone(line.y);
    // In the dark, the drawn charts' own styles give their colours other shades; the swatch has
    // the right one, as it is drawn like them.
    const ink = () => getComputedStyle(swatch.firstChild).stroke;
    return {
      ...LOOKS[line.look],
      stroke: ink,
      fill: line.look === "filled" ? () => ink().replace(")", ", 0.2)") : undefined,
      dash: dashes(line),
      points: {
        size: 5,
        fill: ink,
        filter: (plot, series, all) => (all || !single.length ? null : single),
      },
    };
  }

  function makeSwatch(line) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const stroke = document.createElementNS(svg.namespaceURI, "path");
    const set = (element, attributes) =>
      Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    const look = LOOKS[line.look];
    set(svg, { width: 20, height: 10, "aria-hidden": "true" });
    set(stroke, {
      d: "M0 5H20",
      stroke: line.color,
      "stroke-width": Math.max(look.width, 3),
      "stroke-opacity": look.alpha ?? 1,
      "stroke-dasharray": line.dash ?? "none",
    });
    svg.append(stroke);
    return svg;
  }

  function makePanel(chart, panel, group, { isLast, hint }) {
    const unit = unitOf(panel.label);
    const time = make("span", { className: "value time" });
    const values = panel.lines.map(() => make("span", { className: "value" }));
    const swatches = panel.lines.map(makeSwatch);
    const entries = panel.lines.map((line, index) => {
      const properties = { type: "button", ariaPressed: "true", title: "Show or hide" };
      const button = make("button", properties, swatches[index], line.name);
      button.addEventListener("click", () => {
        const show = button.ariaPressed === "false";
        button.ariaPressed = String(show);
        plot.setSeries(index + 1, { show });
      });
      return make("li", {}, button, " ", values[index]);
    });
    const legend = make("ul", { className: "legend" }, ...entries, make("li", {}, time));
    const element = make("div", { className: "panel" }, make("header", {}, make("span", {}, panel.label), legend));

    function readOut({ cursor: { idx } }) {
      time.textContent = idx == null ? "" : clock(panel.x[idx]);
      values.forEach((value, line) => {
        value.textContent = idx == null ? "" : withUnit(panel.lines[line].y[idx], unit);
      });
    }

    function shadePlateau({ ctx, bbox, valToPos }) {
      const [from, to] = chart.plateau.map((second) => {
        const at = valToPos(second, "x", true);
        return Math.min(Math.max(at, bbox.left), bbox.left + bbox.width);
      });
      ctx.fillStyle = palette.shade;
      ctx.fillRect(from, bbox.top, Math.max(to - from, 0), bbox.height);
    }

    function drawMarks({ ctx, bbox, valToPos }) {
      const ratio = devicePixelRatio;
      ctx.save();
      ctx.strokeStyle = ctx.fillStyle = palette.soft;
      ctx.lineWidth = ratio;
      ctx.font = `${11 * ratio}px system-ui, sans-serif`;
      for (const { second, label } of chart.marks ?? []) {
        const x = valToPos(second, "x", true);
        if (x < bbox.left || x > bbox.left + bbox.width) continue;
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
        const isRight = x > bbox.left + bbox.width * 0.7;
        ctx.textAlign = isRight ? "right" : "left";
        const text = label.length > 24 ? `${label.slice(0, 24)}…` : label;
        ctx.fillText(text, x + (isRight ? -4 : 4) * ratio, bbox.top + 12 * ratio);
      }
      ctx.restore();
    }

    function zoomToSelection(plot) {
      const { left, width } = plot.select;
      if (!width) return;
      group.show(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
      plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    }

    const lines = { stroke: () => palette.axis, width: 1 };
    const axis = { font: "12px system-ui, sans-serif", stroke: () => palette.soft, border: { show: true, ...lines } };
    const plot = new uPlot(
      {
        width: 600, // until it is in the page
        height: chart.panels.length === 1 ? 260 : isLast ? 156 : 136,
        padding: [8, 16, 0, 0],
        legend: { show: false },
        scales: {
          x: { time: false, range: () => group.range },
          y: { range: (plot, least, most) => [0, top(most)] },
        },
        series: [{}, ...panel.lines.map((line, index) => seriesOf(line, swatches[index]))],
        axes: [
          {
            ...axis,
            size: isLast ? 30 : 10,
            space: 64,
            incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200],
            grid: { show: false },
            ticks: { ...lines, size: 5 },
            values: (plot, seconds) => (isLast ? seconds.map(clock) : []),
          },
          {
            ...axis,
            size: 58,
            space: 28,
            grid: { stroke: () => palette.grid, width: 1 },
            ticks: { ...lines, size: 5 },
            values: (plot, values) => values.map((value) => value.toLocaleString("en")),
          },
        ],
        cursor: {
          y: false,
          drag: { x: true, y: false, setScale: false, dist: 5 },
          bind: { dblclick: () => () => group.reset() },
          // Only the cursor's place: what is dragged or reset goes by the group.
          sync: { key: group.name, scales: ["x", null], setSeries: false, filters: { pub: (type) => type === "mousemove" } },
        },
        hooks: { drawClear: [shadePlateau], draw: [drawMarks], setSelect: [zoomToSelection], setLegend: [readOut] },
      },
      [panel.x, ...panel.lines.map((line) => line.y)],
      element,
    );

    Object.assign(plot.over, {
      tabIndex: 0,
      role: "application",
      ariaRoleDescription: "chart",
      ariaLabel: `${chart.title}. ${panel.label}`,
    });
    plot.over.setAttribute("aria-describedby", hint);
    plot.over.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !onKey(event, plot, group)) return;
      event.preventDefault();
      const { idx } = plot.cursor;
      if (idx == null) return;
      const read = panel.lines.map((line) => `${line.name} ${withUnit(line.y[idx], unit)}`);
      say(`${clock(panel.x[idx])}: ${read.join(", ")}`);
    });
    return { element, plot };
  }

  /** Does what a key asks for; false where it asks for nothing. */
  function onKey({ key, shiftKey }, plot, group) {
    const seconds = plot.data[0];
    if (!seconds.length) return false;
    const [from, to] = group.range;
    const first = seconds.findIndex((second) => second >= from);
    const last = seconds.findLastIndex((second) => second <= to);
    const at = plot.cursor.idx;
    const step = shiftKey ? 10 : 1;
    switch (key) {
      case "ArrowLeft":
        moveTo(at == null ? last : at - step);
        return true;
      case "ArrowRight":
        moveTo(at == null ? first : at + step);
        return true;
      case "Home":
        moveTo(first);
        return true;
      case "End":
        moveTo(last);
        return true;
      case "+":
      case "=":
        zoom(0.5);
        return true;
      case "-":
      case "−":
        zoom(2);
        return true;
      case "Escape":
        group.reset();
        return true;
      default:
        return false;
    }

    function moveTo(wanted) {
      const index = Math.min(Math.max(wanted, 0), seconds.length - 1);
      const second = seconds[index];
      // What is zoomed follows the cursor.
      const shift = Math.min(second - from, 0) + Math.max(second - to, 0);
      if (shift) group.show(from + shift, to + shift);
      plot.setCursor({ left: Math.max(plot.valToPos(second, "x"), 0), top: plot.over.clientHeight / 2 }, true, true);
    }

    function zoom(factor) {
      const second = at == null ? (from + to) / 2 : seconds[at];
      group.show(second + (from - second) * factor, second + (to - second) * factor);
      if (at != null) moveTo(at);
    }
  }

  /** All values of a chart, one row a second. */
  function makeTable(chart) {
    const columns = chart.panels.flatMap((panel) => {
      const rowOf = new Map(panel.x.map((second, index) => [second, index]));
      const unit = unitOf(panel.label);
      return panel.lines.map((line) => ({
        name: unit ? `${line.name}, ${unit}` : line.name,
        value: (second) => line.y[rowOf.get(second)],
      }));
    });
    const seconds = [...new Set(chart.panels.flatMap((panel) => panel.x))].sort((a, b) => a - b);
    const every = Math.ceil(seconds.length / TABLE_ROWS);

    const table = make("table");
    const head = table.createTHead().insertRow();
    for (const name of ["Time", ...columns.map((column) => column.name)]) {
      head.append(make("th", { scope: "col", textContent: name }));
    }
    const body = table.createTBody();
    for (let at = 0; at < seconds.length; at += every) {
      const row = body.insertRow();
      row.insertCell().textContent = clock(seconds[at]);
      for (const { value } of columns) row.insertCell().textContent = withUnit(value(seconds[at]), "");
    }
    const label = `${chart.title}, as a table`;
    const region = make("div", { className: "table", tabIndex: 0, role: "group", ariaLabel: label }, table);
    const note = every > 1 ? [make("p", { className: "note" }, `One row every ${every} seconds.`)] : [];
    const element = make("div", { className: "seconds" }, ...note, region);
    makeSortable(table, new View(table, TABLE_ROWS));
    return element;
  }

  function makeTableButton(chart, figure) {
    const button = make("button", { type: "button", ariaExpanded: "false" }, "Show as table");
    let table;
    button.addEventListener("click", () => {
      if (!table) figure.append((table = makeTable(chart)));
      else table.hidden = !table.hidden;
      button.ariaExpanded = String(!table.hidden);
      button.textContent = table.hidden ? "Show as table" : "Hide the table";
    });
    return button;
  }

  let hints = 0;
  function makeChart(figure, chart) {
    const group = groupOf(chart);
    const hint = make("p", { className: "hint", id: `chart-hint-${(hints += 1)}`, textContent: HINT });
    const panels = chart.panels.map((panel, index) =>
      makePanel(chart, panel, group, { isLast: index === chart.panels.length - 1, hint: hint.id }));
    const reset = make("button", { type: "button", hidden: !group.isZoomed }, "Reset zoom");
    reset.addEventListener("click", () => {
      group.reset();
      // The button is gone now; what it was for is the best place for the focus.
      panels[0].plot.over.focus({ preventScroll: true });
    });
    const tools = make("div", { className: "tools" }, reset, makeTableButton(chart, figure));
    const plots = make("div", { className: "plots" }, ...panels.map(({ element }) => element));

    figure.prepend(make("figcaption", { textContent: chart.title }), tools, plots, hint);
    figure.classList.add("live");
    group.resetButtons.push(reset);
    for (const { plot } of panels) group.plots.add(plot);
    new ResizeObserver(() => {
      const width = plots.clientWidth;
      // Without a width it is not shown, as on paper.
      for (const { plot } of panels) if (width && width !== plot.width) plot.setSize({ width, height: plot.height });
    }).observe(plots);
  }

  const charts = JSON.parse(document.getElementById("series")?.textContent || "{}");
  const figures = [...document.querySelectorAll("figure.chart")].filter((figure) => Object.hasOwn(charts, figure.dataset.chart));
  // A chart is made shortly before it comes into view: a report has dozens of them.
  const nearView = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      nearView.unobserve(target);
      makeChart(target, charts[target.dataset.chart]);
    }
  }, { rootMargin: "600px" });
  for (const figure of figures) nearView.observe(figure);

  document.querySelector("main")?.append(spoken);

  // What is wider than its place scrolls by keyboard too. Tables have their tabindex anyway.
  const scrolling = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const element of document.querySelectorAll("figure.chart, pre")) scrolling.observe(element);

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readPalette();
    for (const group of groups.values()) for (const plot of group.plots) plot.redraw(false);
  });
})();
