// What the page itself does: words (browser_words.js), dropped files (browser_drop.js), and what the photo grids ask for, which
// stand in forms and cannot ask the server themselves. Loaded once; later runs only hand over new words.

const MENU = "[data-testid='stPopoverBody']"

// A dialog of Streamlit's leaves the focus nowhere when it goes: back to where the keys came from.
function giveFocusBack(opener, state) {
  let wasOpen = false
  state.watch?.disconnect()
  state.watch = new MutationObserver(() => {
    const isOpen = document.querySelector("[role='dialog']") !== null
    if (wasOpen && !isOpen) {
      state.watch.disconnect()
      setTimeout(() => document.activeElement === document.body && opener?.focus(), 0)
    }
    wasOpen ||= isOpen
  })
  state.watch.observe(document.body, { childList: true, subtree: true })
}

// A menu opens at the end of the page: with the keys one would have to go through everything else to reach it.
// Never a button: two presses of Enter would open a question and answer it.
function enter(menu) {
  const field = menu.querySelector("textarea, input")
  if (!field) menu.tabIndex = -1
  ;(field ?? menu).focus({ preventScroll: true })
}

function enterMenus() {
  new MutationObserver((changes) => {
    for (const change of changes) {
      for (const node of change.addedNodes) {
        const menu = node.nodeType === Node.ELEMENT_NODE && (node.closest(MENU) ?? node.querySelector(MENU))
        if (menu) setTimeout(() => enter(menu), 50)
      }
    }
  }).observe(document.body, { childList: true, subtree: true })
}

export default function ({ data, setTriggerValue }) {
  const state = (window.__prolip ??= {})
  state.tell = setTriggerValue
  // Called after every run; what comes into the page later is seen by the observer.
  if (state.language === data.language) return
  const isFirst = state.words === undefined
  Object.assign(state, {
    language: data.language,
    dropZone: data.dropZone,
    dropHere: data.dropHere,
    maxFiles: data.maxFiles,
    words: {
      exact: data.words,
      patterns: data.patterns.map(([pattern, replacement]) => [new RegExp(pattern), replacement]),
    },
  })
  document.documentElement.lang = data.language
  if (!isFirst) {
    translateNode(document.body, state.words)
    return
  }
  keepTranslated(state)
  listenForFiles(state)
  enterMenus()
  window.addEventListener("prolip-enlarge", ({ detail }) => {
    giveFocusBack(detail.opener, state)
    state.tell("enlarge", detail.asked)
  })
}
