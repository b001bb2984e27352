// Files dragged onto the page: the drop zone grows over it, a folder keeps its path, and too many files are refused as a whole.

const ZONE = "[data-testid='stFileUploaderDropzone']"
const FILE_FIELD = `${ZONE} input[type='file']`
const OF_THE_SYSTEM = ["thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "@eadir"] // the server passes over them too

function carriesFiles(event) {
  return [...(event.dataTransfer?.types ?? [])].includes("Files")
}

function isOfTheSystem(path) {
  return path.split("/").some((part) => part.startsWith(".") || OF_THE_SYSTEM.includes(part.toLowerCase()))
}

// Streamlit sends `webkitRelativePath || name`, and the browser sets the former only for what the folder button chose.
async function* filesUnder(entry) {
  if (isOfTheSystem(entry.name)) return
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed))
    Object.defineProperty(file, "webkitRelativePath", { value: entry.fullPath.replace(/^\//, "") })
    yield file
    return
  }
  const reader = entry.createReader()
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed)) // 100 at most; none: the end
    if (!some.length) return
    for (const one of some) yield* filesUnder(one)
  }
}

// All files of a drop, or the word for why it is refused.
async function gathered(dropped, limit) {
  const files = []
  try {
    for (const { entry, file } of dropped) {
      for await (const one of entry?.isDirectory ? filesUnder(entry) : [file]) {
        files.push(one)
        if (files.length > limit) return [[], "many"]
      }
    }
  } catch (problem) {
    console.warn("a dropped folder cannot be read", problem)
    return [[], "unreadable"]
  }
  return files.length ? [files, null] : [[], "empty"]
}

// To Streamlit it is a drop of plain files; one without any only ends its state of "something hovers here".
function handOver(zone, files) {
  const event = new DragEvent("drop", { bubbles: true, cancelable: true })
  const items = files.map((file) => ({ kind: "file", type: file.type, getAsFile: () => file }))
  Object.defineProperty(event, "dataTransfer", { value: { types: files.length ? ["Files"] : [], files, items } })
  event.isFromUs = true
  zone.dispatchEvent(event)
}

function takeDrop(event, state, uncover) {
  const zone = event.target.closest?.(ZONE)
  if (event.isFromUs || !carriesFiles(event) || !zone || zone.getAttribute("aria-disabled") === "true") return
  const dropped = [...event.dataTransfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => ({ entry: item.webkitGetAsEntry?.(), file: item.getAsFile() }))
  if (dropped.length <= state.maxFiles && !dropped.some(({ entry }) => entry?.isDirectory)) return // Streamlit can do this itself
  event.preventDefault()
  event.stopImmediatePropagation()
  uncover()
  gathered(dropped, state.maxFiles).then(([files, refusal]) => {
    // While the folder was read, another upload may have ended and the page have been drawn anew, without this zone.
    const why = refusal ?? (zone.isConnected ? null : "gone")
    handOver(zone, files)
    if (why) state.tell("refused", why)
  })
}

function takeChoice(event, state) {
  const field = event.target
  if (!field.matches?.(FILE_FIELD)) return
  const count = [...field.files].filter((file) => !isOfTheSystem(file.webkitRelativePath || file.name)).length
  if (count <= state.maxFiles) return
  event.stopImmediatePropagation()
  field.value = ""
  state.tell("refused", "many")
}

// A picture that was copied comes in as if it had been dropped on the page's zone. Words that are pasted go where they belong.
function takePaste(event, state) {
  const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"))
  const zone = document.querySelector(`.st-key-${state.dropZone} ${ZONE}`)
  if (!files.length || !zone || document.querySelector("[role='dialog']")) return
  event.preventDefault()
  handOver(zone, files)
}

// While files are dragged over the window, the page's drop zone covers it; the other zones stay in sight above it.
function listenForFiles(state) {
  let hideTimer
  const uncover = () => {
    for (const zone of document.querySelectorAll(".prolip-cover")) {
      zone.classList.remove("prolip-cover")
      zone.parentElement.style.minHeight = ""
    }
  }
  const cover = (event) => {
    const zone = carriesFiles(event) ? document.querySelector(`.st-key-${state.dropZone} ${ZONE}`) : null
    if (!zone) return
    event.preventDefault()
    if (!zone.classList.contains("prolip-cover")) {
      zone.parentElement.style.minHeight = `${zone.parentElement.offsetHeight}px` // what lies below must not move up
    }
    zone.setAttribute("data-drop-here", state.dropHere)
    zone.classList.add("prolip-cover")
    clearTimeout(hideTimer)
    hideTimer = setTimeout(uncover, 400) // dragover comes every 50 ms or so while something is dragged
    keepFromZone(event)
    event.dataTransfer.dropEffect = "copy"
  }
  // The covered zone would draw itself anew for what hovers over it, and lose the cover; then it flickers, and drops miss it.
  const keepFromZone = (event) => {
    if (event.target.closest?.(".prolip-cover")) event.stopPropagation()
  }
  window.addEventListener("dragenter", cover, true)
  window.addEventListener("dragover", cover, true)
  window.addEventListener("dragleave", keepFromZone, true)
  window.addEventListener("drop", (event) => takeDrop(event, state, uncover), true)
  window.addEventListener("paste", (event) => takePaste(event, state))
  window.addEventListener("change", (event) => takeChoice(event, state), true)
  window.addEventListener("drop", (event) => {
    if (carriesFiles(event) && !event.defaultPrevented) event.preventDefault() // a missed drop must not open the photo
    setTimeout(uncover, 0)
  })
}
