//go:build browser

package browser_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestStory_FromSignInToADelivery(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.signIn()
	s.sees("There are no webhooks yet.")
	s.press("Create the first one")
	s.fill("name", "Ledger")
	s.fill("target", s.target.URL+"/in")
	s.fill("events", "order.*")
	s.press("Save")
	s.sees("Store it now")
	var secret string
	s.do("read the secret", chromedp.Text("#secret", &secret))
	if !regexp.MustCompile(`^whsec_[A-Za-z0-9+/]{43}=$`).MatchString(strings.TrimSpace(secret)) {
		t.Errorf("the secret is %q", secret)
	}
	s.press("Done")
	s.press("Send")
	s.fill("event", "order.shipped")
	s.fill("key", "A-17")
	s.fill("data", `{"total": 12.5}`)
	s.press("Who would get it?")
	s.sees("webhooks match (1 in all): 1")
	s.press("Send it")
	s.sees("Ledger")
	s.seesLater("/console/webhooks/1", "HTTP 200")
	s.sees("1 delivered, 0 failed")
	s.press("Sign out")
	s.sees("Password or token")
	s.open("/console/webhooks")
	s.sees("Password or token")
}

func TestStory_WhyAndRetry(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.webhook("Ledger")
	s.down.Store(true)
	s.call("Events", map[string]any{"Event": "order.shipped", "Key": "A-17"}, nil)
	s.signIn()
	s.seesLater("/console/webhooks", "failing")
	s.press("Ledger")
	s.sees("Last error")
	s.sees("The target responded with a status other than 2xx")
	s.press("order.shipped")
	s.sees("HTTP 500")
	s.sees("POST " + s.target.URL)
	s.down.Store(false)
	s.press("Retry now")
	s.sees("Another attempt has been requested.")
	s.seesLater("/console/webhooks/1", "HTTP 200")
	s.quiet()
}

func TestStory_Replay(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.webhook("Ledger")
	for range 3 {
		s.call("Events", map[string]any{"Event": "order.shipped", "Key": "A-17"}, nil)
	}
	s.signIn()
	s.seesLater("/console/webhooks/1", "3 delivered")
	s.press("Replay")
	s.do("also what was delivered", chromedp.Click(`input[value="Delivered"]`))
	s.press("Count them")
	s.sees("Count of a replay")
	s.sees("done")
}

// Whatever a tenant or a target can choose appears as text.
func TestStory_Hostile(t *testing.T) {
	t.Parallel()
	s := begin(t)
	const script = `"><script>alert(1)</script><img src=x onerror=alert(2)>`
	s.call("Webhook", map[string]any{
		"Name": script, "Description": script, "Events": []string{"order.*"}, "TargetUrl": s.target.URL + "/in", "Headers": map[string]string{"X-A": script},
	}, nil)
	s.down.Store(true)
	s.call("Events", map[string]any{"Event": "order.shipped", "Key": script, "FieldValues": map[string]any{script: script}}, nil)
	s.signIn()
	s.seesLater("/console/webhooks", "failing")
	s.sees("<script>alert(1)</script>")
	s.open("/console/webhooks/1")
	s.sees("<script>alert(document.domain)</script>")
	s.press("order.shipped")
	s.sees("onerror=alert(2)")
	s.open("/console/events")
	s.press("order.shipped")
	s.sees("Last attempt")
	s.press("Why")
	s.sees("Webhook 1:")
	s.open("/console/webhooks/1/edit")
	s.open("/console/webhooks?q=" + "%22%3E%3Cscript%3Ealert(3)%3C/script%3E")
	s.sees("No webhook has that")
	s.open("/console/sign-in?next=javascript:alert(4)")
	s.quiet()
	var found []string
	s.do("links", chromedp.Navigate(s.base+"/console/webhooks/1"), chromedp.Evaluate(`[...document.querySelectorAll("a")].map(a => a.getAttribute("href"))`, &found))
	for _, href := range found {
		if !strings.HasPrefix(href, "/console/") && !strings.HasPrefix(href, "http") && href != "#main" {
			t.Errorf("a link leads to %q", href)
		}
	}
}

func TestStory_StopStartAndBack(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.webhook("Ledger")
	s.down.Store(true)
	s.call("Events", map[string]any{"Event": "order.shipped", "Key": "A-17"}, nil)
	s.signIn()
	s.seesLater("/console/webhooks", "failing")
	s.press("Ledger")
	s.press("Stop")
	s.sees("Deliveries that wait are cancelled")
	s.press("Stop it")
	s.sees("The webhook is stopped: it is sent nothing.")
	s.do("back", chromedp.Evaluate(`history.back()`, nil))
	s.sees("Deliveries that wait are cancelled")
	s.press("Stop it") // again
	s.sees("stopped")
	s.press("Start")
	s.sees("The webhook is active.")
	s.press("Edit")
	s.do("rename, pressing twice", chromedp.SetValue(`main [name="name"]`, "Journal"),
		chromedp.Evaluate(`(() => { const b = [...document.querySelectorAll("main button")].find(b => b.textContent === "Save"); b.click(); b.click(); })()`, nil))
	s.sees("Journal")
	s.press("More")
	s.press("History")
	s.sees("Name")
}
