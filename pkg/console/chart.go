package console

import (
	"fmt"
	"strconv"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// hour is a webhook's statistics of one hour, as the API shows them.
type hour struct {
	From                                    time.Time
	Delivered, Failed, Attempts, Suppressed int
	P50Ms, P95Ms, LagP95Ms                  *int
}

// bars draws a bar for each hour: what was delivered, and on top what failed.
func bars(hours []hour, width, height int) g.Node {
	most, delivered, failed := 1, 0, 0
	for _, each := range hours {
		most = max(most, each.Delivered+each.Failed)
		delivered, failed = delivered+each.Delivered, failed+each.Failed
	}
	var drawn []g.Node
	step := float64(width) / float64(max(len(hours), 1))
	rect := func(class string, i, from, n int) g.Node {
		tall := float64(n) * float64(height-1) / float64(most)
		if n > 0 && tall < 1 {
			tall = 1
		}
		low := float64(from) * float64(height-1) / float64(most)
		return g.El("rect", h.Class(class), number("x", float64(i)*step+0.5), number("y", float64(height-1)-low-tall), number("width", step-1), number("height", tall))
	}
	for i, each := range hours {
		if each.Delivered+each.Failed == 0 {
			drawn = append(drawn, g.El("rect", h.Class("none"), number("x", float64(i)*step+0.5), number("y", float64(height-1)), number("width", step-1), number("height", 1)))
			continue
		}
		drawn = append(drawn, g.El("g",
			g.El("title", g.Text(fmt.Sprintf("%s UTC: %d delivered, %d failed", each.From.UTC().Format("15:04"), each.Delivered, each.Failed))),
			rect("good", i, 0, each.Delivered), rect("bad", i, each.Delivered, each.Failed)))
	}
	return g.El("svg", append([]g.Node{
		h.Class("bars"), g.Attr("viewBox", fmt.Sprintf("0 0 %d %d", width, height)), number("width", float64(width)), number("height", float64(height)),
		h.Role("img"), h.Aria("label", fmt.Sprintf("The last %d hours: %d delivered, %d failed", len(hours), delivered, failed)),
	}, drawn...)...)
}

func number(name string, n float64) g.Node {
	return g.Attr(name, strconv.FormatFloat(n, 'f', -1, 64))
}
