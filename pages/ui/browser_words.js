// Streamlit's own words in the user's language. Only at the places listed here: everywhere else a word may be a person's own, and
// a class called "Stop" or "Close" stays as it is.

const ATTRIBUTES = ["aria-label", "placeholder", "title", "data-tooltip"]
const at = (...ids) => ids.map((id) => `[data-testid='${id}']`)

// Parts that Streamlit builds and words itself.
const OWN = [
  ...at("stFileUploaderDropzone", "stCameraInput", "stNumberInput", "stTextInput", "stTextArea", "InputInstructions"),
  ...at("stPagination", "stElementToolbar", "stStatusWidget", "stToolbar", "stHeader", "stConnectionStatus", "stToast"),
  ...at("stTooltipIcon", "stSidebarCollapseButton", "stExpandSidebarButton", "stSkipToContent", "stSelectboxErrorIcon"),
  ...at("stDataFrameColumnMenu", "stDataFrameColumnFormattingMenu", "search-close-button", "stCode"),
  "[data-testid='stDataFrameResizable'] :is(label, button)",
  "[data-testid='stSelectbox'] button",
  "[role='listbox'][data-empty]", // a list without any entry: the words say so
  "[role='dialog']",
].join()

// Among them, what a person wrote; it wins where it is the nearer one.
const USER_TEXT = [
  ...at("stMarkdownContainer", "stText", "stCodeBlock", "stFileChipName", "stWidgetLabel", "stIconMaterial", "stCaptionContainer"),
  ...at("stSelectbox", "stVegaLiteChart", "stPlotlyChart"),
  "[role='listbox']:not([data-empty])",
  "svg, pre, code, table, [role='grid'], input, textarea, canvas, [contenteditable]",
].join()

// Labels that Streamlit draws as Markdown, as it does with a person's words, but chooses itself.
const BUILT_IN = [
  "[data-testid='stFileUploaderDropzone'] button",
  "[data-testid='stCameraInputButton']",
  "[data-testid='stTooltipErrorContent']",
].join()

function isStreamlits(element) {
  if (!element) return false
  if (element.closest(BUILT_IN)) return true
  // The words that come up over a button of a chart's or table's tool bar.
  if (element.closest("[data-testid='stTooltipContent']")) {
    return document.querySelector("[data-testid='stElementToolbar'] :is(:hover, :focus-visible)") !== null
  }
  const [own, users] = [element.closest(OWN), element.closest(USER_TEXT)]
  return own !== null && (users === null || (users !== own && users.contains(own)))
}

// A field's label is the app's, its placeholder Streamlit's.
function isStreamlitsAttribute(element, name) {
  return element.matches("input, textarea") ? name === "placeholder" : isStreamlits(element)
}

function translated(text, words) {
  const trimmed = text.trim()
  if (!trimmed) return null
  if (Object.hasOwn(words.exact, trimmed)) return text.replace(trimmed, () => words.exact[trimmed])
  for (const [pattern, replacement] of words.patterns) {
    const match = trimmed.match(pattern)
    if (match) return replacement.replace(/\$(\d)/g, (_, n) => match[Number(n)] ?? "")
  }
  return null
}

// What stood at a place before it was translated: from there it goes into the next language.
const originals = (window.__prolipOriginals ??= new WeakMap())

function retranslated(owner, place, text, words, isAllowed) {
  const kept = originals.get(owner) ?? {}
  const original = kept[place]?.shown === text ? kept[place].original : text
  const shown = translated(original, words) ?? original
  if (shown === text || !isAllowed()) return text
  if (shown !== original) originals.set(owner, { ...kept, [place]: { original, shown } })
  return shown
}

function translateNode(root, words) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
  const texts = root.nodeType === Node.TEXT_NODE ? [root] : []
  while (walker.nextNode()) texts.push(walker.currentNode)
  for (const node of texts) {
    const text = retranslated(node, "text", node.nodeValue, words, () => isStreamlits(node.parentElement))
    if (text !== node.nodeValue) node.nodeValue = text
  }
  const elements = root.nodeType === Node.ELEMENT_NODE ? [root, ...root.querySelectorAll("*")] : []
  for (const element of elements) {
    for (const name of ATTRIBUTES) {
      const value = element.getAttribute?.(name)
      if (!value) continue
      const text = retranslated(element, name, value, words, () => isStreamlitsAttribute(element, name))
      if (text !== value) element.setAttribute(name, text)
    }
  }
}

function keepTranslated(state) {
  translateNode(document.body, state.words)
  new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "childList") change.addedNodes.forEach((node) => translateNode(node, state.words))
      else translateNode(change.target, state.words)
    }
  }).observe(document.body, { childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES })
}
