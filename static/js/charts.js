// <div class="chart" data-chart="id"></div> draws the Plotly figure in the json_script element with that id.
// Colours and fonts come from the CSS tokens, handed to Plotly as a template: what a figure says itself wins.
(() => {
  const CONFIG = { responsive: true, displayModeBar: false };
  const drawn = new Set();

  // Tokens are light-dark() pairs; only a computed colour tells which half is in force.
  const readTokens = (names) => {
    const probe = document.createElement("span");
    probe.hidden = true;
    document.body.append(probe);
    const colours = names.map((name) => {
      probe.style.color = `var(--${name})`;
      return getComputedStyle(probe).color;
    });
    probe.remove();
    return colours;
  };

  const makeTemplate = () => {
    const [ink, inkMuted, line, lineStrong, raised] = readTokens(["ink", "ink-muted", "line", "line-strong", "surface-raised"]);
    const axis = {
      automargin: true,
      gridcolor: line,
      linecolor: lineStrong,
      zerolinecolor: lineStrong,
      tickcolor: lineStrong,
      tickfont: { color: inkMuted, size: 12 },
      ticklabelstandoff: 4,
      title: { font: { color: inkMuted, size: 12 }, standoff: 12 },
    };
    return {
      layout: {
        colorway: readTokens([1, 2, 3, 4, 5, 6, 7, 8].map((number) => `chart-${number}`)),
        font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: ink },
        title: { font: { size: 14 }, x: 0, xanchor: "left" },
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        margin: { t: 16, r: 8, b: 40, l: 48 },
        bargap: 0.35,
        barcornerradius: 3,
        hoverlabel: { bgcolor: raised, bordercolor: lineStrong, font: { color: ink, size: 12 } },
        legend: { orientation: "h", x: 0, y: -0.18, yanchor: "top", font: { color: inkMuted, size: 12 } },
        xaxis: { ...axis, showgrid: false },
        yaxis: axis,
      },
      data: { scatter: [{ line: { width: 2 } }] },
    };
  };

  const draw = (element) => {
    const source = document.getElementById(element.dataset.chart);
    if (!source) return;
    const figure = JSON.parse(source.textContent);
    const layout = { autosize: true, ...figure.layout, template: makeTemplate() };
    Plotly.react(element, figure.data, layout, CONFIG);
    drawn.add(element);
  };

  const chartsIn = (root) => [
    ...(root.matches?.("[data-chart]") ? [root] : []),
    ...root.querySelectorAll("[data-chart]"),
  ];
  const drawAll = (root) => {
    if (typeof Plotly === "undefined") return; // not a chart page; the table beside each chart has the numbers
    for (const element of chartsIn(root)) if (!drawn.has(element)) draw(element);
  };

  document.addEventListener("DOMContentLoaded", () => drawAll(document));
  document.addEventListener("htmx:load", (event) => drawAll(event.detail.elt));
  document.addEventListener("theme:change", () => drawn.forEach(draw));
  document.addEventListener("htmx:beforeCleanupElement", (event) => {
    if (drawn.delete(event.detail.elt)) Plotly.purge(event.detail.elt);
  });
})();
