//go:build browser

package browser_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var screens = flag.String("screens", "", "folder to write a picture of every page to")

var axe = flag.String("axe", "", "the file axe.min.js, which looks for what people with disabilities cannot use")

// everyPage is a story with something on every page, and their paths by name.
func everyPage(t *testing.T) (*story, map[string]string) {
	t.Helper()
	s := begin(t)
	s.webhook("Ledger")
	s.call("Webhook", map[string]any{"Name": "Warehouse: parcels and returns", "Events": []string{"order.shipped", "order.returned", "parcel.*"}, "TargetUrl": s.target.URL + "/parcels", "State": "Stopped"}, nil)
	var event struct{ EventIds []string }
	for i := range 12 {
		s.down.Store(i > 8)
		s.call("Events", map[string]any{"Event": "order.shipped", "Key": fmt.Sprint("A-", i), "FieldValues": map[string]any{"total": 10 * i, "customer": "Blåbær AS"}}, &event)
	}
	s.signIn()
	s.seesLater("/console/webhooks", "failing")
	delivery := "/webhooks/1/deliveries/" + event.EventIds[0]
	s.seesLater("/console"+delivery, "HTTP 500")
	return s, map[string]string{
		"webhooks": "/webhooks", "webhook": "/webhooks/1", "delivery": delivery, "new": "/webhooks/new", "events": "/events", "event": "/events/" + event.EventIds[0],
		"send": "/send", "replay": "/webhooks/1/replay", "stop": "/webhooks/1/stop", "secret": "/webhooks/1/secret", "history": "/webhooks/1/history", "test": "/webhooks/1/test", "options": "/webhooks/1/options", "missing": "/webhooks/99",
	}
}

// TestAccessible has axe-core look at every page, light and dark.
func TestAccessible(t *testing.T) {
	t.Parallel()
	if *axe == "" {
		t.Fatal("-axe must name axe.min.js; make test-browser does")
	}
	script, err := os.ReadFile(*axe)
	if err != nil {
		t.Fatal(err)
	}
	s, pages := everyPage(t)
	pages["sign-in"] = "/sign-in"
	for name, path := range pages {
		for _, scheme := range []string{"light", "dark"} {
			var found []string
			s.do("look at "+path, light(scheme), chromedp.Navigate(s.base+"/console"+path), chromedp.Evaluate(string(script), nil),
				chromedp.Evaluate(`axe.run().then(r => r.violations.filter(v => v.impact === "serious" || v.impact === "critical").map(v => v.id + ": " + v.help + ": " + v.nodes.map(n => n.html).join(" ")))`,
					&found, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
			for _, each := range found {
				t.Errorf("%s, %s: %s", name, scheme, each)
			}
		}
	}
}

func light(scheme string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}})
}

// TestScreens writes a picture of every page, on a phone and a desk, light and dark.
func TestScreens(t *testing.T) {
	if *screens == "" {
		t.Skip("-screens names the folder")
	}
	if err := os.MkdirAll(*screens, 0o750); err != nil {
		t.Fatal(err)
	}
	s, pages := everyPage(t)
	for name, path := range pages {
		for _, width := range []int64{390, 1280} {
			for _, scheme := range []string{"light", "dark"} {
				var picture []byte
				s.do("picture of "+path, chromedp.EmulateViewport(width, 900),
					light(scheme),
					chromedp.Navigate(s.base+"/console"+path), chromedp.FullScreenshot(&picture, 100))
				file := filepath.Join(*screens, strings.Join([]string{name, fmt.Sprint(width), scheme}, "-")+".png")
				if err := os.WriteFile(file, picture, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
