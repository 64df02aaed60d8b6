import type { Metadata } from "next";
import type { ReactNode } from "react";
// oxlint-disable-next-line import/no-unassigned-import -- how Next.js takes styles
import "./style.css";

export const metadata: Metadata = { title: "Notes", description: "People sign in here, and no page holds a token" };

export default function Layout({ children }: { readonly children: ReactNode }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
