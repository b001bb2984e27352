// A link that looks like a button and fetches a file. What was made because of a click in this tab is fetched by itself, once.
const fetched = (window.__prolipFetched ??= new Set())

export default function ({ parentElement, data }) {
  const link = parentElement.querySelector("a")
  link.href = data.address
  link.download = data.name
  link.textContent = data.label
  if (data.byItself && !fetched.has(data.address)) {
    fetched.add(data.address)
    link.click()
  }
}
