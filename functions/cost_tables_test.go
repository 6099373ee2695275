package functions_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	showCost   = flag.Bool("cost", false, "print the tables of docs/cost.md and the README")
	updateCost = flag.Bool("update-cost", false, "write them")
)

// eventBytes is the size of an event's data where it does not say otherwise.
const eventBytes = 200

var costBatches = []int{1, 10, 100}

// The tables of docs/cost.md and the README, from prices and from the calls of the code.
// `make cost` prints them, and writes them with WRITE=1.
func TestCostTables(t *testing.T) {
	t.Parallel()
	p := loadPrices(t)
	run := map[flow]bill{}
	price := func(f flow) bill {
		if run[f] == nil {
			run[f] = f.deliveries(t, p)
		}
		return run[f]
	}
	delivered := map[int]bill{}
	for _, n := range costBatches {
		delivered[n] = price(plainFlow(n))
	}
	signal := wayIn(t, p, "signal", 1)
	event := signal.sum(lineEvent, lineEventStored)
	idle := idleMonths(t, p)
	tables := []struct{ file, name, text string }{ // text is computed
		{"../docs/cost.md", "idle", idle.table()},
		{"../docs/cost.md", "delivery", deliveryTable(delivered)},
		{"../docs/cost.md", "ways", waysTable(t, p, event)},
		{"../docs/cost.md", "webhooks", flowTable(price, "webhooks that each event matches", []int{1, 2, 5, 10}, func(n int, f *flow) string {
			f.webhooks = n
			return fmt.Sprint(n)
		})},
		{"../docs/cost.md", "failures", flowTable(price, "first attempts that fail", []int{0, 100, 10, 2}, func(n int, f *flow) string {
			if n == 0 {
				return "none"
			}
			f.failing, f.events = n, 200
			return fmt.Sprintf("%d %%", 100/n)
		})},
		{"../docs/cost.md", "lanes", flowTable(price, "lane", []int{0, 1, 2}, func(n int, f *flow) string {
			f.lane = []string{"fast", "queue", "slow"}[n]
			if f.lane == "queue" {
				f.events = f.batch // then all are known to be fast
			}
			return f.lane
		})},
		{"../docs/cost.md", "payload", flowTable(price, "data of an event", []int{eventBytes, 1 << 10, 4 << 10, 16 << 10, 256 << 10}, func(n int, f *flow) string {
			f.bytes = n
			if n < 1<<10 {
				return fmt.Sprintf("%d bytes", n)
			}
			f.bytes -= 64 // with its name, of 256 KiB at most
			return fmt.Sprintf("%d KB", n>>10)
		})},
		{"../docs/cost.md", "memory", flowTable(price, "MB of memory", []int{128, 256, 512, 1024}, func(n int, f *flow) string {
			if f.memory = float64(n); f.memory == memories(t)["DeliverFunction"] {
				f.memory = 0 // it is priced already
			}
			return fmt.Sprint(n)
		})},
		{"../docs/cost.md", "prices", pricesTable(p)},
		{"../docs/cost.md", "assumptions", assumptionsTable(p)},
		{"../README.md", "", summaryTable(t, p, idle.prod.sum(), signal.without(lineEvent, lineEventStored).sum()+delivered[1].sum())},
	}
	for _, table := range tables {
		if *showCost {
			fmt.Printf("%s\n", strings.TrimPrefix(table.name+":\n", ":\n")+table.text)
		}
		if *pricesFile != flag.Lookup("prices").DefValue {
			continue
		}
		name := "cost:"
		if table.name != "" {
			name += table.name + ":"
		}
		page := read(t, table.file)
		before, rest, begun := strings.Cut(page, "<!-- "+name+"begin -->\n")
		now, after, ended := strings.Cut(rest, "<!-- "+name+"end -->")
		switch {
		case !begun || !ended:
			t.Errorf("%s has no table between <!-- %sbegin --> and <!-- %send -->", table.file, name, name)
		case now == table.text, now != "" && table.name != "prices" && sameFigures(now, table.text):
		case *updateCost:
			page = before + "<!-- " + name + "begin -->\n" + table.text + "<!-- " + name + "end -->" + after
			if err := os.WriteFile(table.file, []byte(page), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s: the table %s is outdated; make cost WRITE=1 writes\n%s", table.file, name, table.text)
		}
	}
	if total := delivered[100].sum(); total > 2 && *pricesFile == flag.Lookup("prices").DefValue {
		t.Errorf("a million deliveries cost $%.2f in full batches, want at most $2.00", total)
	}
}

var cents = regexp.MustCompile(`^\**[0-9]+\.[0-9]{2}\**$`)

// sameFigures reports whether two tables differ by at most a cent in any figure. The
// time of an attempt, and so the digits of a log line, depends on which one gets a slot
// first.
func sameFigures(a, b string) bool {
	in, other := strings.Split(a, "|"), strings.Split(b, "|")
	return slices.EqualFunc(in, other, func(a, b string) bool {
		a, b = strings.TrimSpace(a), strings.TrimSpace(b)
		if a == b || !cents.MatchString(a) || !cents.MatchString(b) {
			return a == b
		}
		x, _ := strconv.ParseFloat(strings.Trim(a, "*"), 64)
		y, _ := strconv.ParseFloat(strings.Trim(b, "*"), 64)
		return math.Abs(x-y) < 0.015
	})
}

// The calls that are priced are those that TestCost of pkg/dispatch counts.
func TestCostTables_PriceTheCountedCalls(t *testing.T) {
	t.Parallel()
	p := loadPrices(t)
	var counted map[int]string
	if err := json.Unmarshal([]byte(read(t, "../pkg/dispatch/testdata/batches.json")), &counted); err != nil {
		t.Fatal(err)
	}
	for _, n := range costBatches {
		inSite(t, p, func(s *costSite) {
			s.hook(1, "order.placed", true)
			s.signal(1, eventBytes)
			s.stream(1)
			s.signal(n, eventBytes)
			s.stream(n)
			if got := s.spent.String(); got != counted[n] {
				t.Errorf("a batch of %d makes %s; TestCost counts %s", n, got, counted[n])
			}
		})
	}
}

// money rounds half a cent up, whatever the sum of floats.
func money(dollars float64) string { return fmt.Sprintf("%.2f", dollars+1e-9) }

func header(first string, columns ...string) string {
	return "| " + first + " | " + strings.Join(columns, " | ") + " |\n|---|" + strings.Repeat("---|", len(columns)) + "\n"
}

// deliveryTable shows the bill of a million deliveries by batch, the largest lines first.
func deliveryTable(by map[int]bill) string {
	text := header("events in a batch", "1", "10", "100")
	lines := map[string]bool{}
	for _, b := range by {
		for line := range b {
			lines[line] = true
		}
	}
	sorted := slices.SortedFunc(maps.Keys(lines), func(a, b string) int {
		return cmp.Or(cmp.Compare(by[1][b], by[1][a]), strings.Compare(a, b))
	})
	for _, line := range sorted {
		if by[1][line] >= 0.005 {
			text += fmt.Sprintf("| %s | %s | %s | %s |\n", line, money(by[1][line]), money(by[10][line]), money(by[100][line]))
		}
	}
	return text + fmt.Sprintf("| **together** | **%s** | **%s** | **%s** |\n", money(by[1].sum()), money(by[10].sum()), money(by[100].sum()))
}

// plainFlow is deliveries of small events to one webhook that accepts them, in batches
// of a size.
func plainFlow(batch int) flow {
	return flow{events: max(batch, 10), batch: batch, webhooks: 1, bytes: eventBytes, lane: "fast"}
}

// flowTable shows the sums of variants of a flow, by batch.
func flowTable(price func(flow) bill, first string, variants []int, vary func(variant int, f *flow) (name string)) string {
	text := header(first, "1", "10", "100")
	for _, variant := range variants {
		row := ""
		for _, n := range costBatches {
			f := plainFlow(n)
			name := vary(variant, &f)
			if row == "" {
				row = "| " + name + " |"
			}
			row += " " + money(price(f).sum()) + " |"
		}
		text += row + "\n"
	}
	return text
}

// waysTable shows what a million events cost by the way in which they come, beyond the
// write and the storage of the event.
func waysTable(t *testing.T, p *prices, event float64) string {
	t.Helper()
	text := header("events in a call or a batch", "1", "10", "100")
	for _, way := range []struct {
		name, way string
		most      int
	}{
		{"`POST /api/v1/Webhook/{event}/{key}`", "signal", 1},
		{"the same, with an `Idempotency-Key`", "keyed", 1},
		{"`POST /api/v1/Events`", "events", 100},
		{"the same, each event with an `Id`", "identified", 100},
		{"a relay", "relay", 1},
		{"an EventBridge bus", "bus", 10},
		{"changes of a table", "changes", 100},
	} {
		row := "| " + way.name + " |"
		for _, n := range costBatches {
			cell := ""
			if n <= way.most {
				cell = money(wayIn(t, p, way.way, n).sum() - event)
			}
			row += " " + cell + " |"
		}
		text += strings.ReplaceAll(strings.ReplaceAll(row, "|  |", "| |"), "|  |", "| |") + "\n"
	}
	return text
}

func pricesTable(p *prices) string {
	text := fmt.Sprintf("| %s, %s | $ |\n|---|---|\n", p.Region, p.Date)
	for _, name := range slices.Sorted(maps.Keys(p.Prices)) {
		price := p.Prices[name]
		per := ""
		if price.Per != 1 {
			per = fmt.Sprintf(" per %s", thousands(price.Per))
		}
		text += fmt.Sprintf("| [%s](%s): %s | %s%s |\n", name, price.Page, price.Unit, strconv.FormatFloat(price.USD, 'f', -1, 64), per)
	}
	return text
}

func assumptionsTable(p *prices) string {
	text := header("assumption", "")
	for _, name := range slices.Sorted(maps.Keys(p.Assumptions)) {
		text += fmt.Sprintf("| %s | %.10g |\n", name, p.Assumptions[name])
	}
	return text
}

// summaryTable shows what deployments cost in a month.
func summaryTable(t *testing.T, p *prices, fixed, event float64) string {
	t.Helper()
	each := p.dollars(t, "secrets", 1)
	text := header("webhooks", "1 million events", "sealed", "10 million events", "sealed")
	for _, n := range []float64{10, 100, 1000} {
		text += fmt.Sprintf("| %s | %.0f | %.0f | %.0f | %.0f |\n", thousands(n),
			fixed+each*n+event, fixed+event, fixed+each*n+10*event, fixed+10*event)
	}
	return text
}

func thousands(n float64) string {
	text := fmt.Sprintf("%.0f", math.Round(n))
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
