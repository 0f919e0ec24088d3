/** A real Chromium, driven from here; a page at any size, light or dark, with or without scripts. */
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { whereIs } from "./on-path.ts";

/** Full path of the browser, or undefined where there is none. */
export function chromiumProgram(): string | undefined {
  return whereIs("chromium") ?? whereIs("google-chrome");
}

export interface ViewOptions {
  readonly width: number;
  readonly height: number;
  readonly colorScheme: "light" | "dark";
  readonly scripts?: boolean;
}

export interface View {
  readonly page: Page;
  /** Messages of the console and of failed requests since the page was opened. */
  readonly messages: readonly string[];
  close(): Promise<void>;
}

export function openBrowser(program: string): Promise<Browser> {
  // The sandbox needs a user of its own; the pages are ours.
  return chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu"] });
}

export async function openView(browser: Browser, url: string, options: ViewOptions): Promise<View> {
  const context: BrowserContext = await browser.newContext({
    viewport: { width: options.width, height: options.height },
    colorScheme: options.colorScheme,
    javaScriptEnabled: options.scripts ?? true,
  });
  const page = await context.newPage();
  const messages: string[] = [];
  page.on("console", (message) => messages.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => messages.push(`error: ${error.message}`));
  page.on("requestfailed", (request) => messages.push(`failed: ${request.url()}`));
  await page.goto(url, { waitUntil: "load" });
  return { page, messages, close: () => context.close() };
}
