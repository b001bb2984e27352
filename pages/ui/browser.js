// Two jobs in the page itself: Streamlit's own words in the user's language, and dropping files anywhere on the page.
// Loaded once; later runs only hand over new words.

const ATTRIBUTES = ["aria-label", "placeholder", "title", "data-tooltip"]
// Where a person's own words stand, nothing is replaced.
const USER_TEXT = "[data-testid='stMarkdownContainer'], [data-testid='stText'], input, textarea, canvas, [contenteditable]"

// … except on the buttons of these, which are Streamlit's own.
const BUILT_IN = "[data-testid='stFileUploaderDropzone'], [data-testid='stCameraInputButton']"

function translated(text, words) {
  const trimmed = text.trim()
  if (!trimmed) return null
  if (words.exact[trimmed] !== undefined) return text.replace(trimmed, () => words.exact[trimmed])
  for (const [pattern, replacement] of words.patterns) {
    const match = trimmed.match(pattern)
    if (match) return replacement.replace(/\$(\d)/g, (_, n) => match[Number(n)] ?? "")
  }
  return null
}

// What stood at a place before it was translated: from there it goes into the next language.
const originals = (window.__prolipOriginals ??= new WeakMap())

function retranslated(owner, place, text, words) {
  const kept = originals.get(owner) ?? {}
  const original = kept[place]?.shown === text ? kept[place].original : text
  const shown = translated(original, words) ?? original
  if (shown !== original) originals.set(owner, { ...kept, [place]: { original, shown } })
  return shown
}

function translateNode(root, words) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
  const texts = root.nodeType === Node.TEXT_NODE ? [root] : []
  while (walker.nextNode()) texts.push(walker.currentNode)
  for (const node of texts) {
    const around = node.parentElement
    if (around?.closest(USER_TEXT) && !around.closest(BUILT_IN)) continue
    const text = retranslated(node, "text", node.nodeValue, words)
    if (text !== node.nodeValue) node.nodeValue = text
  }
  const elements = root.nodeType === Node.ELEMENT_NODE ? [root, ...root.querySelectorAll("*")] : []
  for (const element of elements) {
    for (const name of ATTRIBUTES) {
      const value = element.getAttribute?.(name)
      if (!value) continue
      const text = retranslated(element, name, value, words)
      if (text !== value) element.setAttribute(name, text)
    }
  }
}

function dropZone(state) {
  return document.querySelector(`.st-key-${state.dropZone} [data-testid='stFileUploaderDropzone']`)
}

function carriesFiles(event) {
  return [...(event.dataTransfer?.types ?? [])].includes("Files")
}

// While files are dragged over the window, the drop zone itself covers it: the drop is then an ordinary one.
function listenForFiles(state) {
  let hideTimer
  const cover = (event) => {
    const zone = carriesFiles(event) ? dropZone(state) : null
    if (!zone) return
    event.preventDefault()
    zone.setAttribute("data-drop-here", state.dropHere)
    zone.classList.add("prolip-cover")
    clearTimeout(hideTimer)
    hideTimer = setTimeout(uncover, 400) // dragover comes every 50 ms or so while something is dragged
  }
  const uncover = () => document.querySelectorAll(".prolip-cover").forEach((zone) => zone.classList.remove("prolip-cover"))
  window.addEventListener("dragenter", cover)
  window.addEventListener("dragover", cover)
  window.addEventListener("drop", (event) => {
    if (carriesFiles(event) && !event.defaultPrevented) event.preventDefault() // a missed drop must not open the photo
    setTimeout(uncover, 0)
  })
}

export default function ({ data }) {
  const state = (window.__prolip ??= {})
  // Called after every run; what comes into the page later is seen by the observer below.
  if (state.language === data.language) return
  const words = {
    exact: data.words,
    patterns: data.patterns.map(([pattern, replacement]) => [new RegExp(pattern), replacement]),
  }
  document.documentElement.lang = data.language
  const isFirst = state.words === undefined
  Object.assign(state, { language: data.language, words, dropZone: data.dropZone, dropHere: data.dropHere })
  translateNode(document.body, words)
  if (!isFirst) return
  listenForFiles(state)
  new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "childList") change.addedNodes.forEach((node) => translateNode(node, state.words))
      else translateNode(change.target, state.words)
    }
  }).observe(document.body, { childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES })
}
