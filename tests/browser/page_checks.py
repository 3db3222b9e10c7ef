"""What every page has to satisfy."""


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def no_overflow(page, where):
    widths = page.script("[document.documentElement.scrollWidth, window.innerWidth]")
    check(widths[0] <= widths[1], f"{where}: {widths[0]} pixels in a window of {widths[1]}")


# The contrast of every text that is shown, against what is painted behind it (WCAG 2.2, 1.4.3).
CONTRAST = """
(() => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 1, height: 1});
  const context = canvas.getContext("2d", {willReadFrequently: true});
  const channels = (colours) => {
    context.clearRect(0, 0, 1, 1);
    for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => rgb.map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const low = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || node.closest("noscript, option, .visually-hidden, .skip")) continue;
    if (node.getClientRects().length === 0 || node.matches(":disabled")) continue;
    const behind = [];
    for (let one = node; one; one = one.parentElement) behind.unshift(getComputedStyle(one).backgroundColor);
    const [a, b] = [channels(["white", ...behind]), channels(["white", ...behind, getComputedStyle(node).color])]
      .map(luminance).sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) low.push(`${ratio.toFixed(2)} ${texts.currentNode.data.trim()}`);
  }
  return low;
})()
"""
