import { Notes } from "./notes.tsx";

export default function Page() {
  return (
    <main>
      <h1>Notes</h1>
      <Notes />
    </main>
  );
}
