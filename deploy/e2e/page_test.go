package e2e

// The labeling page in a real browser, over the real desk on the embedded Kafka: what a person does with the mouse ends up on
// the desk's log.

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"gleaner/connectors/blob"
	"gleaner/connectors/engine"
	"gleaner/connectors/kafka"
	"gleaner/connectors/web"
	"gleaner/deploy/scenes"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/schemas/labelmap"
	"gleaner/stages/humanlabel"
	"gleaner/stages/lint"
	"gleaner/stages/pixels"
	"gleaner/stages/rules"
	"gleaner/stages/superpixel"
	"gleaner/stages/taxonomy"
)

// hostile is a class name that would change the page's title if it were ever taken for markup.
const hostile = `<img src=x onerror="document.title='broken'">`

func TestPageInBrowser(t *testing.T) {
	browser := chromium(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	desk, store, url := startDesk(ctx, t, "", web.Deps{Rules: &rules.Registry{}})
	for i := range 3 {
		createTask(ctx, t, desk, store, i)
	}

	tab := openBrowser(ctx, t, browser)
	thrown := make(chan string, 16)
	collectErrors(tab, thrown)
	do, until := drive(tab, t)

	do("open the landing page", chromedp.Navigate(url))
	until("landing page", `document.querySelectorAll("#doubtful .card img").length === 3 && [...document.images].every(i => i.complete && i.naturalWidth > 0)`)
	shoot(tab, t, "home")

	do("open the labeling page", chromedp.Navigate(url+"label"), chromedp.WaitVisible("dialog input"),
		chromedp.SendKeys("dialog input", "Zoë"), chromedp.Click("dialog button.primary"))
	until("first task", shown("scene-0"))
	claimed := theTask(t, desk, schemas.TaskClaimed)
	if claimed.Holder != "Zoë" {
		t.Fatalf("the desk says that %q holds the task, want Zoë", claimed.Holder)
	}

	changeGranularity(tab, t)
	do("fix the missing box", chromedp.Click("#findings .finding:first-child button.primary"))
	until("fix", `document.querySelectorAll("#findings .fixed").length === 1`)

	before := objectsShown(tab, t)
	at := onScreen(tab, t, geometry.Box{X1: 40, Y1: 300, X2: 140, Y2: 420})
	do("draw a box", chromedp.DragAndDropXY(at[0], at[1], at[2], at[3]))
	until("drawn", fmt.Sprintf(`document.querySelectorAll("#objects .object").length === %d`, before+1))
	do("name it", chromedp.KeyEvent(hostile+"\r")) // the field has the focus and its text is selected
	until("named", `[...document.querySelectorAll("#objects .selected input")].some(i => i.value.startsWith("<img"))`)
	do("draw and undo", chromedp.KeyEvent("z"))
	do("redo", chromedp.KeyEvent("y"))
	until("redone", `[...document.querySelectorAll("#objects .selected input, #objects .name")].some(e => (e.value ?? e.textContent).startsWith("<img"))`)
	until("draft", `document.getElementById("saved").textContent === "Draft saved"`)
	shoot(tab, t, "label")

	// A reload of the tab goes on with the same task and its draft.
	do("reload", chromedp.Reload())
	until("draft restored", fmt.Sprintf(`document.querySelectorAll("#objects .object").length === %d`, before+1))

	do("submit", chromedp.Click("#accept"))
	until("second task", shown("scene-1"))
	got := theTask(t, desk, schemas.TaskSubmitted)
	if got.ID != claimed.ID || got.Result == nil {
		t.Fatalf("submitted %+v, want task %s with a result", got, claimed.ID)
	}
	box := hostileBox(ctx, t, store, *got.Result)
	if want := (geometry.Box{X1: 40, Y1: 300, X2: 140, Y2: 420}); box.IoU(want) < 0.95 {
		t.Errorf("the box drawn arrived as %v, want about %v", box, want)
	}

	until("superpixels of the same level", `/^Level 2 of 3: \d+ superpixels$/.test(document.getElementById("level").textContent)`)

	do("skip", chromedp.Click("#skip"))
	until("third task, not the skipped one", shown("scene-2"))

	// Another editor of the same name moves the task on: the page must say so and let the person keep the boxes.
	second := theTask(t, desk, schemas.TaskClaimed)
	command(ctx, t, desk, "Zoë", schemas.CommandDraft, schemas.DraftBody{TaskID: second.ID, Version: second.Version, Draft: *got.Result})
	do("accept a stale version", chromedp.Click("#accept"), chromedp.WaitVisible("dialog"))
	shoot(tab, t, "conflict")
	do("keep mine", chromedp.Click(`dialog button[value="keep"]`))
	until("draft kept", `document.getElementById("saved").textContent === "Draft saved"`)
	do("submit mine", chromedp.Click("#accept"))
	until("the skipped task comes again", shown("scene-1"))
	do("submit the last", chromedp.KeyEvent("n"))
	until("nothing is left", `document.getElementById("message").textContent.includes("Nothing is left")`)
	if n := len(desk.Tasks(schemas.TaskFilter{State: schemas.TaskSubmitted})); n != 3 {
		t.Errorf("%d tasks are submitted, want 3", n)
	}
	if title, err := chromedp.Run(tab, chromedp.Title()); err != nil || title != "Gleaner: label" {
		t.Errorf("title %q (%v): a class name became markup", title, err)
	}
	select {
	case text := <-thrown:
		t.Errorf("the page threw: %s", text)
	default:
	}
}

// changeGranularity shows the superpixels, makes them coarser and finer by key, wheel and button, looks at what is drawn, and
// leaves them at the second level.
func changeGranularity(tab context.Context, t *testing.T) {
	t.Helper()
	do, until := drive(tab, t)
	shows := func(level int) (regions int) {
		t.Helper()
		until("level", fmt.Sprintf(`document.getElementById("level").textContent.startsWith("Level %d of 3: ") && !document.getElementById("granularity").hidden`, level))
		n, err := chromedp.Run(tab, chromedp.Evaluate[int](`Number(document.getElementById("level").textContent.match(/: (\d+)/)[1])`))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	yellow := func() int { // pixels on which borders are drawn, in the frame after the one that is due
		t.Helper()
		n, err := chromedp.Run(tab, chromedp.Evaluate[int](`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => {
			const c = document.getElementById("canvas");
			const p = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
			let n = 0;
			for (let i = 0; i < p.length; i += 4) if (p[i] > 135 && p[i + 1] > 115 && p[i] > p[i + 2] + 60) n++;
			done(n);
		})))`, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	wheel := func(up float64) chromedp.Action[chromedp.Void] {
		at := onScreen(tab, t, geometry.Box{X1: 300, Y1: 200, X2: 310, Y2: 210})
		return chromedp.MouseEvent(input.DispatchMouseEventTypeMouseWheel, at[0], at[1], func(p *input.DispatchMouseEventParams) {
			p.DeltaX, p.DeltaY, p.Modifiers = 1, -120*up, 8 // Shift; a delta of 0 would be left out
		})
	}

	do("superpixels on", chromedp.Click("#superpixels"))
	finest, drawn := shows(1), yellow()
	do("coarser by key", chromedp.KeyEvent("]"))
	middle, fewer := shows(2), yellow()
	do("coarser by wheel", wheel(-1))
	coarsest := shows(3)
	if finest <= middle || middle <= coarsest || coarsest < 2 {
		t.Errorf("levels of %d, %d and %d superpixels", finest, middle, coarsest)
	}
	if drawn <= fewer || fewer == 0 {
		t.Errorf("borders on %d pixels, on %d of the coarser level", drawn, fewer)
	}
	do("no coarser than the coarsest", chromedp.KeyEvent("]"))
	shows(3)
	do("finer by wheel", wheel(1))
	shows(2)
	do("finer by button", chromedp.Click("#finer"))
	shows(1)

	at := onScreen(tab, t, geometry.Box{X1: 300, Y1: 200, X2: 310, Y2: 210})
	before := yellow()
	do("hover", chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0], at[1]))
	if n := yellow(); n == before {
		t.Error("the superpixel under the pointer looks like the others")
	}
	do("coarser by button", chromedp.Click("#coarser"))
	shows(2)
}

// Where the server wants a token, the page asks for it, and a claim that was lost can be taken back with the boxes drawn since.
func TestPageSignsInAndTakesBack(t *testing.T) {
	browser := chromium(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	const token = "correct horse battery"
	desk, store, url := startDesk(ctx, t, token, web.Deps{Rules: &rules.Registry{}})
	createTask(ctx, t, desk, store, 0)
	tab := openBrowser(ctx, t, browser)
	do, until := drive(tab, t)
	do("open the labeling page", chromedp.Navigate(url+"label"), chromedp.WaitVisible("dialog input[type=text]"),
		chromedp.SendKeys("dialog input", "ana\r"), chromedp.WaitVisible("dialog input[type=password]"),
		chromedp.SendKeys("dialog input", "wrong\r"))
	until("asked again", `document.querySelector("dialog input[type=password]")?.value === ""`)
	do("sign in", chromedp.SendKeys("dialog input", token+"\r"))
	until("the task with its image", shown("scene-0"))

	task := theTask(t, desk, schemas.TaskClaimed)
	command(ctx, t, desk, "ana", schemas.CommandRelease, schemas.TaskBody{TaskID: task.ID, Version: task.Version})
	before := objectsShown(tab, t)
	at := onScreen(tab, t, geometry.Box{X1: 40, Y1: 300, X2: 140, Y2: 420})
	do("draw a box", chromedp.DragAndDropXY(at[0], at[1], at[2], at[3]), chromedp.WaitVisible("dialog"))
	do("take it back", chromedp.Click(`dialog button[value="claim"]`))
	until("draft saved", `document.getElementById("saved").textContent === "Draft saved"`)
	if now := objectsShown(tab, t); now != before+1 {
		t.Errorf("%d boxes after taking the task back, want %d", now, before+1)
	}
	if got := theTask(t, desk, schemas.TaskClaimed); got.Holder != "ana" || got.Draft == nil {
		t.Errorf("task %+v, want ana's with a draft", got)
	}
}

// Where a dataset has rules, the page says which of them a submission breaks, offers the classes that they name, and the
// attributes of a class.
func TestPageObeysRules(t *testing.T) {
	browser := chromium(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var registry rules.Registry
	err := registry.Put(schemas.DatasetRules{Dataset: "scenes", Objects: []schemas.ObjectRule{
		{Class: "dragon", Attributes: []schemas.AttributeRule{{Name: "color", Values: []string{"red", "green"}, Required: true}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	desk, store, url := startDesk(ctx, t, "", web.Deps{Rules: &registry})
	createTask(ctx, t, desk, store, 0, schemas.Finding{
		Type: schemas.FindingRule, ObjectID: "o1", Box: geometry.Box{X1: 10, Y1: 10, X2: 50, Y2: 50}, Score: 1, Why: "It is none of the classes wanted.",
	})
	tab := openBrowser(ctx, t, browser)
	do, until := drive(tab, t)
	do("open the labeling page", chromedp.Navigate(url+"label"), chromedp.WaitVisible("dialog input"), chromedp.SendKeys("dialog input", "ana\r"))
	until("the task with its image", shown("scene-0"))
	until("the class that the rules name is offered, alone", `[...document.querySelectorAll("#classes option")].map(o => o.value).join() === "dragon"`)

	until("what a rule refuses is not to be kept", `[...document.querySelectorAll("#findings .finding")].map(f => f.textContent.includes("Keep…")).join() === "true,false"`)

	do("accept what is not wanted", chromedp.Click("#accept"))
	until("refused", fmt.Sprintf(`!document.getElementById("message").hidden && document.querySelectorAll("#message li.error").length === %d`, objectsShown(tab, t)))
	until("why", `document.querySelector("#message li").textContent.endsWith("is none of the classes wanted: dragon.")`)
	shoot(tab, t, "rules")
	do("close", chromedp.Click("#message button"))

	at := onScreen(tab, t, geometry.Box{X1: 40, Y1: 300, X2: 140, Y2: 420})
	do("draw a box", chromedp.DragAndDropXY(at[0], at[1], at[2], at[3]), chromedp.KeyEvent("dragon\r"))
	until("the attribute of its class", `document.querySelectorAll("#objects .attribute select option").length === 3`)
	if _, err := chromedp.Run(tab, chromedp.Evaluate[bool](`(() => { for (let b; (b = document.querySelector("#objects .object:not(.selected) button")); ) b.click(); return true; })()`)); err != nil {
		t.Fatal(err)
	}
	do("submit without the attribute", chromedp.Click("#accept"))
	until("refused again", `document.querySelector("#message li.error")?.textContent === "The attribute color is missing: want red, green."`)
	do("close", chromedp.Click("#message button"))
	if _, err := chromedp.Run(tab, chromedp.Evaluate[bool](`(() => { const s = document.querySelector("#objects .attribute select"); s.value = "red"; return s.dispatchEvent(new Event("change")); })()`)); err != nil {
		t.Fatal(err)
	}
	do("submit", chromedp.Click("#accept"))
	until("nothing is left", `document.getElementById("message").textContent.includes("Nothing is left")`)
	data, err := store.Get(ctx, theTask(t, desk, schemas.TaskSubmitted).Result.Key)
	if err != nil {
		t.Fatal(err)
	}
	var a schemas.Annotation
	if err := json.Unmarshal(data, &a); err != nil || len(a.Objects) != 1 || a.Objects[0].Class != "dragon" || a.Objects[0].Attributes["color"] != "red" {
		t.Errorf("submitted %s: %v", data, err)
	}
}

// What lint doubts comes back to the page before a submission counts: it is fixed by a key, or kept for a reason, over a reload too.
func TestPageIsAsked(t *testing.T) {
	browser := chromium(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	linter, err := lint.New(lint.DefaultConfig(), lint.Deps{
		Classes: func(*schemas.Sample) []string { return nil }, Taxonomy: taxonomy.NewRegistry((&rules.Registry{}).Rules), Demands: &rules.Registry{},
	})
	if err != nil {
		t.Fatal(err)
	}
	desk, store, url := startDesk(ctx, t, "", web.Deps{Lint: func(ctx context.Context, s schemas.Sample, work schemas.Annotation, actor string) ([]schemas.Finding, error) {
		out, err := linter.Process(ctx, humanlabel.Submitted(s, work, actor))
		if err != nil {
			return nil, err
		}
		return out[0].Findings, nil
	}})
	for i := range 2 {
		createTask(ctx, t, desk, store, i)
	}
	tab := openBrowser(ctx, t, browser)
	thrown := make(chan string, 16)
	collectErrors(tab, thrown)
	do, until := drive(tab, t)
	result := func() (a schemas.Annotation) {
		t.Helper()
		tasks := desk.Tasks(schemas.TaskFilter{State: schemas.TaskSubmitted}) // the last first
		data, err := store.Get(ctx, tasks[0].Result.Key)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	twice := func() { // draws a box twice
		t.Helper()
		at := onScreen(tab, t, geometry.Box{X1: 40, Y1: 300, X2: 140, Y2: 420})
		for range 2 {
			do("let go", chromedp.KeyEvent(kb.Escape))
			do("draw a box", chromedp.DragAndDropXY(at[0], at[1], at[2], at[3]), chromedp.KeyEvent("dragon\r"))
		}
		do("submit", chromedp.KeyEvent("n"))
		until("asked", `document.querySelectorAll("#findings .asked.open").length === 1 && document.activeElement.matches("#findings .asked.open:first-child")`)
		until("why", `document.getElementById("reason").textContent.startsWith("Not submitted yet") && document.activeElement.textContent.includes("covers the same place")`)
	}
	do("open the labeling page", chromedp.Navigate(url+"label"), chromedp.WaitVisible("dialog input"), chromedp.SendKeys("dialog input", "ana\r"))
	until("first task", shown("scene-0"))
	before := objectsShown(tab, t)
	twice()
	shoot(tab, t, "asked")
	until("draft", `document.getElementById("saved").textContent === "Draft saved"`)
	do("reload", chromedp.Reload())
	until("asked still", `document.querySelectorAll("#findings .asked.open").length === 1`)
	until("ready", shown("scene-0"))
	do("fix", chromedp.KeyEvent("x"))
	until("fixed", `document.querySelectorAll("#findings .asked.fixed").length === 1`)
	do("submit", chromedp.KeyEvent("n"))
	until("second task", shown("scene-1"))
	if a := result(); len(a.Objects) != before+1 || len(a.Overrides) != 0 || len(a.Findings) != 1 || a.Findings[0].Type != schemas.FindingDuplicate {
		t.Errorf("fixed and submitted %+v", a)
	}

	twice()
	do("keep", chromedp.KeyEvent("k"), chromedp.WaitVisible("dialog input"), chromedp.SendKeys("dialog input", "two of them\r"))
	until("kept", `document.querySelectorAll("#findings .asked.kept").length === 1`)
	do("undo", chromedp.KeyEvent("z"))
	until("asked again", `document.querySelectorAll("#findings .asked.open").length === 1`)
	do("choose a reason", chromedp.KeyEvent("j"), chromedp.KeyEvent("k"), chromedp.WaitVisible("dialog input"), chromedp.Click(`dialog button[value="The guidelines want it so"]`))
	until("kept", `document.querySelectorAll("#findings .asked.kept").length === 1`)
	do("submit", chromedp.KeyEvent("n"))
	until("nothing is left", `document.getElementById("message").textContent.includes("Nothing is left")`)
	if a := result(); len(a.Overrides) != 1 || a.Overrides[0].Reason != "The guidelines want it so" || a.Overrides[0].Type != schemas.FindingDuplicate || a.Overrides[0].Box.Empty() {
		t.Errorf("kept and submitted %+v", a)
	}
	select {
	case text := <-thrown:
		t.Errorf("the page threw: %s", text)
	default:
	}
}

// chromium finds a browser, and skips the test, loudly, where there is none.
func chromium(t *testing.T) string {
	t.Helper()
	for _, p := range []string{os.Getenv("GLEANER_CHROMIUM"), "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"} {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	t.Skip("SKIPPED, NOT PASSED: no browser; install chromium, or set GLEANER_CHROMIUM to one")
	return ""
}

func openBrowser(ctx context.Context, t *testing.T, path string) context.Context {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1360, 850),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	if os.Getenv("GLEANER_DARK") != "" {
		opts = append(opts, chromedp.Flag("blink-settings", "preferredColorScheme=0"))
	}
	alloc, stop := chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(alloc)
	t.Cleanup(closeTab)
	return tab
}

// drive returns what a test does with a tab: act, and wait until an expression of the page holds.
func drive(tab context.Context, t *testing.T) (do func(what string, actions ...chromedp.Action[chromedp.Void]), until func(what, js string)) {
	fail := func(err error, what string) {
		t.Helper()
		if err != nil {
			shoot(tab, t, "failed")
			t.Fatalf("%s: %v", what, err)
		}
	}
	do = func(what string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		fail(chromedp.Do(tab, actions...), what)
	}
	until = func(what, js string) {
		t.Helper()
		_, err := chromedp.Run(tab, chromedp.Poll[bool](js, chromedp.WithPollingTimeout(15*time.Second)))
		fail(err, what+": "+js)
	}
	return do, until
}

// shown is that the page shows a task and takes input.
func shown(name string) string {
	return fmt.Sprintf(`document.getElementById("title").textContent === %q && document.getElementById("message").hidden && !document.getElementById("accept").disabled`, name)
}

// collectErrors sends the text of every exception that the page does not catch.
func collectErrors(tab context.Context, to chan<- string) {
	if err := chromedp.Do(tab); err != nil { // starts the browser
		return
	}
	events := chromedp.Events(tab, runtime.ExceptionThrown)
	go func() {
		for ev, err := range events {
			if err != nil {
				return
			}
			select {
			case to <- ev.ExceptionDetails.Text + " " + ev.ExceptionDetails.URL:
			default:
			}
		}
	}()
}

// shoot keeps a picture of the tab in the folder that GLEANER_SHOTS names, for people to look at.
func shoot(tab context.Context, t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("GLEANER_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(tab, chromedp.CaptureScreenshot())
	if err != nil {
		t.Logf("screenshot %s: %v", name, err)
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// onScreen maps a box of the image of 640 x 480 pixels to the window, as the page fits it: centered, with a margin of 16.
func onScreen(tab context.Context, t *testing.T, b geometry.Box) [4]float64 {
	t.Helper()
	r, err := chromedp.Run(tab, chromedp.Evaluate[[4]float64](`(() => {
		document.getElementById("fit").click();
		const r = document.getElementById("canvas").getBoundingClientRect();
		return [r.x, r.y, r.width, r.height];
	})()`))
	if err != nil {
		t.Fatal(err)
	}
	scale := min((r[2]-32)/640, (r[3]-32)/480)
	x, y := r[0]+r[2]/2-320*scale, r[1]+r[3]/2-240*scale
	return [4]float64{x + float64(b.X1)*scale, y + float64(b.Y1)*scale, x + float64(b.X2)*scale, y + float64(b.Y2)*scale}
}

func objectsShown(tab context.Context, t *testing.T) int {
	t.Helper()
	n, err := chromedp.Run(tab, chromedp.Evaluate[int](`document.querySelectorAll("#objects .object").length`))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// startDesk runs Kafka, the desk and the server, with deps for the rest, until the test ends.
func startDesk(ctx context.Context, t *testing.T, token string, deps web.Deps) (*humanlabel.Desk, blob.Store, string) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	run := func(name string, f func(context.Context) error) {
		ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
		over := make(chan error, 1)
		go func() { over <- f(ctx) }()
		t.Cleanup(func() {
			stop()
			if err := <-over; err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	cfg := engine.DefaultKafkaConfig()
	cfg.Dir = t.TempDir()
	broker, err := engine.NewKafka(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	run("kafka", broker.Run)
	<-broker.Ready()

	kcfg := kafka.DefaultConfig()
	kcfg.Brokers = []string{broker.Addr()}
	client, err := kafka.New(kcfg, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(context.WithoutCancel(ctx)) })
	if err := client.EnsureTopics(ctx, schemas.TopicSpecs()); err != nil {
		t.Fatal(err)
	}
	store, err := blob.Open(ctx, blob.Config{URL: "file://" + t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	desk, err := humanlabel.New(humanlabel.DefaultConfig(), client, store, log)
	if err != nil {
		t.Fatal(err)
	}
	run("desk", desk.Run)

	wcfg := web.DefaultConfig()
	wcfg.Address, wcfg.Token = "127.0.0.1:0", token
	deps.Desk, deps.Blobs, deps.Raw, deps.Status = desk, store, client.Sink(), fixedStatus
	server, err := web.New(wcfg, deps, log)
	if err != nil {
		t.Fatal(err)
	}
	run("web", server.Run)
	return desk, store, "http://" + server.Addr() + "/"
}

// fixedStatus is what the status table is drawn from; the figures of a running flow are the wiring's to test.
func fixedStatus(context.Context) (web.Status, error) {
	return web.Status{Version: "test", Steps: []web.StepStatus{
		{Step: "ingest", State: "running", In: 992, Out: 970, Rejected: 22, Rate: 118.4, P50: 8.2, P95: 21.5},
		{Step: "prelabel", State: "failed", In: 970, Out: 961, Dead: 9, Lag: 1204, InFlight: 8, Rate: 31, P50: 61, P95: 1210, LastError: "onnx: model yolox_nano: wrong input"},
	}}, nil
}

// createTask draws a scene, takes one of its boxes away, and sends it to the desk as lint would.
func createTask(ctx context.Context, t *testing.T, desk *humanlabel.Desk, store blob.Store, n int, more ...schemas.Finding) {
	t.Helper()
	scene, err := scenes.Draw(scenes.DefaultConfig(), n)
	if err != nil {
		t.Fatal(err)
	}
	hash := schemas.Hash(sha256.Sum256(scene.JPEG))
	put(ctx, t, store, schemas.ImageKey(hash), scene.JPEG)
	img, _, err := pixels.Decode(scene.JPEG, pixels.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	regions := new(superpixel.Segmenter).Segment(img.Pix, img.W, img.H, superpixel.Params{Regions: 300, Levels: 3})
	code, err := regions.Encode()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("scene-%d", n)
	s := schemas.Sample{
		ID: schemas.NewSampleID("scenes", name, hash), Dataset: "scenes", UniqueID: name, Task: "detect",
		Image:       schemas.ImageRef{SHA256: hash, Size: int64(len(scene.JPEG)), MediaType: "image/jpeg", W: img.W, H: img.H},
		Stage:       schemas.StageLinted,
		Superpixels: schemas.Superpixels{Count: regions.Counts()[0], Encoding: labelmap.Encoding, Data: code},
	}
	for i, o := range scene.Objects {
		if i == 0 {
			s.Findings = append(s.Findings, schemas.Finding{
				Type: schemas.FindingMissing, Class: o.Class, Box: o.Box, Score: 0.87, Why: "The model sees a " + o.Class + " here (87 %) that no label covers.",
			})
			continue
		}
		s.Objects = append(s.Objects, schemas.Object{ID: fmt.Sprintf("o%d", i), Class: o.Class, Box: o.Box, Score: 0.9, Source: "scenes@1"})
	}
	s.Findings = append(s.Findings, more...)
	body, err := schemas.EncodeSample(&s)
	if err != nil {
		t.Fatal(err)
	}
	ref := schemas.BlobRef{Key: schemas.BodyKey(sha256.Sum256(body)), Size: int64(len(body))}
	put(ctx, t, store, ref.Key, body)
	command(ctx, t, desk, "route", schemas.CommandCreate, schemas.CreateBody{
		SampleID: s.ID, Dataset: s.Dataset, UniqueID: name, Task: s.Task, Queue: "scenes", Priority: float64(10 - n),
		Reason: "A box seems to be missing.", Body: ref,
	})
}

func put(ctx context.Context, t *testing.T, store blob.Store, key string, data []byte) {
	t.Helper()
	if err := store.Put(ctx, key, data); err != nil {
		t.Fatal(err)
	}
}

func command(ctx context.Context, t *testing.T, desk *humanlabel.Desk, actor string, kind schemas.CommandKind, body any) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	out, err := desk.Do(ctx, schemas.Command{Actor: actor, Kind: kind, Body: raw})
	if err != nil || out.Verdict != schemas.Applied {
		t.Fatalf("%s: %+v, %v", kind, out, err)
	}
}

// theTask is the one task in a state.
func theTask(t *testing.T, desk *humanlabel.Desk, state schemas.TaskState) schemas.Task {
	t.Helper()
	tasks := desk.Tasks(schemas.TaskFilter{State: state})
	if len(tasks) != 1 {
		t.Fatalf("%d tasks are %s, want 1", len(tasks), state)
	}
	return tasks[0]
}

// hostileBox finds the box with the hostile class in a submitted annotation.
func hostileBox(ctx context.Context, t *testing.T, store blob.Store, ref schemas.BlobRef) geometry.Box {
	t.Helper()
	data, err := store.Get(ctx, ref.Key)
	if err != nil {
		t.Fatal(err)
	}
	var a schemas.Annotation
	if err := json.Unmarshal(data, &a); err != nil {
		t.Fatal(err)
	}
	var classes []string
	for _, o := range a.Objects {
		if o.Class == hostile {
			return o.Box
		}
		classes = append(classes, o.Class)
	}
	t.Fatalf("no box of class %q among %s", hostile, strings.Join(classes, ", "))
	return geometry.Box{}
}
