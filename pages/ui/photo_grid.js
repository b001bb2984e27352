// Photos side by side with a box to tick on each. Ticking happens here; the server learns of it with the form's next button.
// Where nothing can be done with them (data.ticked is null) there are no boxes. The button at its corner shows a photo large: the
// grid stands in a form, which holds back what its parts say, so browser.js says it.

const MAGNIFIER =
  '<svg viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2.5" stroke-linecap="round">' +
  '<circle cx="10.5" cy="10.5" r="6.5"/><path d="m15.5 15.5 5 5M7.5 10.5h6M10.5 7.5v6"/></svg>'

function element(name, className) {
  const made = document.createElement(name)
  made.className = className
  return made
}

function figure(photo) {
  const label = element("label", "photo")
  const box = element("input", "tick")
  box.type = "checkbox"
  box.value = photo.id
  const enlarge = element("button", "enlarge")
  enlarge.type = "button"
  enlarge.innerHTML = MAGNIFIER
  label.append(element("span", "picture"), box, element("span", "name"), element("span", "words"), enlarge)
  return label
}

// A person's own words go in as text, never as HTML.
function fill(label, photo, texts) {
  const [picture, box, name, words, enlarge] = label.children
  if (picture.dataset.source !== photo.picture) {
    picture.dataset.source = photo.picture
    const image = photo.picture ? element("img", "") : element("span", "missing")
    if (photo.picture) Object.assign(image, { src: photo.picture, alt: "", draggable: false })
    else image.textContent = texts.missing
    picture.replaceChildren(image)
  }
  box.setAttribute("aria-label", photo.name)
  label.title = photo.name
  label.dataset.id = photo.id
  const large = texts.enlarge.replace("{name}", () => photo.name)
  enlarge.setAttribute("aria-label", large)
  enlarge.title = large
  enlarge.hidden = !photo.image
  name.textContent = photo.short
  words.replaceChildren(
    ...photo.words.map(([text, tone]) => {
      const word = element("span", tone ? `badge ${tone}` : "word")
      word.textContent = text
      return word
    })
  )
}

function showLarge(label, photos) {
  const there = photos.filter((photo) => photo.image)
  const at = there.findIndex((photo) => String(photo.id) === label.dataset.id)
  if (at < 0) return
  const asked = { at, photos: there.map((photo) => [photo.id, photo.image]) }
  const opener = label.querySelector(".enlarge")
  window.dispatchEvent(new CustomEvent("prolip-enlarge", { detail: { asked, opener } }))
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".grid")
  const [head, photos] = root.children
  const state = (root.prolip ??= { ticked: new Set(data.ticked ?? []), figures: new Map(), last: null })

  const send = () => setStateValue("ticked", [...state.ticked])
  const paint = () => {
    const boxes = [...photos.querySelectorAll(".tick")]
    for (const box of boxes) box.checked = state.ticked.has(Number(box.value))
    const all = head.querySelector("input")
    all.checked = boxes.length > 0 && boxes.every((box) => box.checked)
    all.indeterminate = !all.checked && boxes.some((box) => box.checked)
    head.querySelector(".count").textContent = state.ticked.size ? data.texts.ticked.replace("{count}", state.ticked.size) : ""
  }
  const set = (boxes, on) => {
    for (const box of boxes) state.ticked[on ? "add" : "delete"](Number(box.value))
    paint()
    send()
  }

  const old = state.figures
  state.figures = new Map(data.photos.map((photo) => [photo.id, old.get(photo.id) ?? figure(photo)]))
  for (const photo of data.photos) fill(state.figures.get(photo.id), photo, data.texts)
  photos.replaceChildren(...state.figures.values())
  root.classList.toggle("pick", data.ticked !== null)
  root.style.setProperty("--columns", data.columns)
  head.querySelector(".all").textContent = data.texts.all
  head.onchange = (event) => set(photos.querySelectorAll(".tick"), event.target.checked)
  // With Shift, all from the last one ticked to this one.
  photos.onclick = (event) => {
    const picture = data.ticked === null ? ".enlarge, .picture" : ".enlarge" // where nothing is ticked, the whole picture
    if (event.target.closest(picture)) {
      event.preventDefault()
      showLarge(event.target.closest(".photo"), data.photos)
      return
    }
    if (!event.target.matches(".tick")) {
      if (event.shiftKey) getSelection().removeAllRanges()
      return
    }
    const boxes = [...photos.querySelectorAll(".tick")]
    const [here, last] = [boxes.indexOf(event.target), boxes.indexOf(state.last)]
    const range = event.shiftKey && last >= 0 ? boxes.slice(Math.min(here, last), Math.max(here, last) + 1) : [event.target]
    state.last = event.target
    set(range, event.target.checked)
  }
  paint()
}
