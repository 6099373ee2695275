package httpapi

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
)

const (
	csvType = "text/csv"
	// headerCursor is the cursor of the next page of CSV, which has no room for it.
	headerCursor = "X-Posthaste-Cursor"
)

// alsoAnswered lists the routes whose responses have other media types than
// wire.AnswerTypes.
var alsoAnswered = map[string][]string{listDeliveriesAction: {csvType}}

func (c *call) wantsCSV() bool {
	mediaType, _ := wire.Negotiate(c.Header.Values("Accept"), alsoAnswered[c.action]...)
	return mediaType == csvType
}

// Sizes of a page of CSV.
const (
	maxCSVRows  = 10_000
	maxCSVBytes = 5 << 20 // as it is sent; one more row may follow
	csvStep     = 500     // rows read at a time
	// maxCSVExamined bounds the work of one call whose filter selects few rows.
	maxCSVExamined = 20_000
)

// csvColumns are the columns: of the delivery, then of its last attempt.
var csvColumns = []string{
	"EventId", "Event", "Entity", "PrimaryKey", "Key", "Status", "Reason", "Round", "AttemptCount", "NextAttempt", "Created",
	"Number", "At", "DurationMs", "Lane", "StatusCode", "Error", "Detail", "Advice", "Response",
}

// deliveriesAsCSV returns a page of the log as CSV, one line for each delivery.
func (a *api) deliveriesAsCSV(c *call, q delivery.LogQuery) (reply, error) {
	var page, line bytes.Buffer
	writeCSV(&page, csvColumns)
	rows, size, examined, more := 0, 0, 0, true
	for most := q.Limit; more && rows < most && size < maxCSVBytes && examined < maxCSVExamined; {
		if q.Limit, q.Examine = min(most-rows, csvStep), logExamined; q.Filter.Zero() {
			q.Examine = q.Limit + logSpare
		}
		found, err := a.readLog(c, q)
		if err != nil {
			return reply{}, err
		}
		examined += found.Examined
		q.Before, more = found.Next, found.Next != ""
		for i, d := range found.Deliveries {
			line.Reset()
			writeCSV(&line, csvCells(d))
			page.Write(line.Bytes())
			rows++
			if size += carriedLen(line.Bytes()); size >= maxCSVBytes && i < len(found.Deliveries)-1 {
				q.Before, more = d.Event, true
				break
			}
		}
	}
	response := reply{status: http.StatusOK, json: page.Bytes(), mediaType: csvType, header: http.Header{}, large: true}
	if more {
		response.header.Set(headerCursor, string(c.deliveriesCursor(q, q.Before)))
	}
	return response, nil
}

func csvCells(d delivery.Row) []string {
	shown := showDelivery(d, delivery.FailureResponse{})
	cells := []string{
		string(shown.EventID), shown.Event, shown.Entity, strconv.Itoa(int(shown.PrimaryKey)), string(shown.Key), shown.Status, string(shown.Reason),
		strconv.Itoa(shown.Round), strconv.Itoa(shown.AttemptCount), csvTime(d.NextAt), csvTime(shown.Created),
	}
	if len(shown.Attempts) == 0 {
		return append(cells, make([]string, len(csvColumns)-len(cells))...)
	}
	last := shown.Attempts[len(shown.Attempts)-1]
	return append(cells,
		strconv.Itoa(last.Number), csvTime(last.At), strconv.FormatInt(last.DurationMs, 10), string(last.Lane), strconv.Itoa(last.StatusCode),
		string(last.Error), string(last.Detail), string(last.Advice), string(last.Response))
}

func csvTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// writeCSV writes one line.
func writeCSV(to *bytes.Buffer, cells []string) {
	safe := make([]string, len(cells))
	for i, cell := range cells {
		safe[i] = csvCell(cell)
	}
	w := csv.NewWriter(to)
	_ = w.Write(safe) // a buffer never fails
	w.Flush()
}

// csvCell returns a cell that no spreadsheet takes for a formula: a cell that begins
// like one gets an apostrophe in front, which spreadsheets do not show.
func csvCell(cell string) string {
	if strings.ContainsAny(cell[:min(len(cell), 1)], "=+-@\t\r\n") || startsWide(cell) {
		return "'" + cell
	}
	return cell
}

// startsWide reports whether a cell begins with one of the same characters in full
// width, which some spreadsheets take for the narrow ones.
func startsWide(cell string) bool {
	for _, r := range cell {
		return strings.ContainsRune("＝＋－＠", r)
	}
	return false
}
