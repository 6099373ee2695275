package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// usageTable is the only table of SuperOffice's database that the dynamic archive has
// here. It has a row for each webhook.
const usageTable = "webhook_usage"

// usageColumn is a column of the table with its value for a webhook.
type usageColumn struct {
	name  string
	value func(id int32, h webhook.Health) any
}

var usageColumns = []usageColumn{
	{"webhook_usage_id", func(id int32, _ webhook.Health) any { return id }},
	{"total_calls", func(_ int32, h webhook.Health) any { return h.TotalCalls }},
	{"total_errors", func(_ int32, h webhook.Health) any { return h.TotalErrors }},
	{"consecutive_errors", func(_ int32, h webhook.Health) any { return h.ConsecutiveErrors }},
	{"last_error", func(_ int32, h webhook.Health) any { return textOrNull(h.LastError) }},
}

// archive is the result of a query, in the form of OData that SuperOffice has.
type archive struct {
	Metadata string       `json:"odata.metadata"`
	NextLink textOrNull   `json:"odata.nextLink"` // null: $top and $skip page
	Value    []archiveRow `json:"value"`
}

func (archive) xmlName() string { return "Archive" }

// archiveRow is a row: its webhook, and the columns that were selected.
type archiveRow struct {
	id      int32
	health  webhook.Health
	columns []usageColumn
}

// MarshalJSON writes the columns in the order in which they were selected.
func (r archiveRow) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"PrimaryKey":"%d","EntityName":%q`, r.id, usageTable)
	for _, c := range r.columns {
		value, err := wire.EncodeJSON(c.value(r.id, r.health))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, `,"%s.%s":%s`, usageTable, c.name, value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// rowBytes is about how many bytes a row has without its LastError.
const rowBytes = 300

// queryArchive returns the counters of the caller's webhooks, as SuperOffice's archive
// does for its table of their usage.
func (a *api) queryArchive(c *call) (reply, error) {
	var wrong webhook.Faults
	columns := c.usageColumns(&wrong)
	id, one := c.usageFilter(&wrong)
	skip, top := c.count("$skip", 0, &wrong), c.count("$top", math.MaxInt32, &wrong)
	if err := wrong.Err(); err != nil {
		return reply{}, err
	}
	rows, size := []archiveRow{}, 0
	take := func(page []webhook.Webhook) error {
		ids := make([]int32, len(page))
		for i, w := range page {
			ids[i] = w.ID
		}
		healths, err := a.Health(c.Context(), c.who.Tenant, ids)
		if _, err = webhook.Readable(err); err != nil { // counters that cannot be read are shown as 0
			return err
		}
		for _, w := range page {
			rows = append(rows, archiveRow{w.ID, healths[w.ID].Under(w.Activation), columns})
			size += rowBytes + len(healths[w.ID].LastError)
		}
		if size > maxListBytes {
			return errListTooLarge
		}
		return nil
	}
	err := error(nil)
	if one {
		err = a.takeOne(c, id, skip, top, take)
	} else {
		err = a.eachPage(c, filter{}, skip, top, take)
	}
	if err != nil {
		return reply{}, err
	}
	response := ok(archive{Metadata: a.tenantBase(c) + "/api/v1/Archive/$metadata", Value: rows})
	response.large = true
	return response, nil
}

// takeOne is eachPage for the webhook with an id, if the caller sees it.
func (a *api) takeOne(c *call, id int32, skip, top int, take func([]webhook.Webhook) error) error {
	w, err := a.Registry.Get(c.Context(), c.who, id)
	if errors.Is(err, webhook.ErrNotFound) || err == nil && (skip > 0 || top == 0) {
		return nil
	}
	if err != nil {
		return err
	}
	return take([]webhook.Webhook{w})
}

// usageColumns reads $select: names of columns with that of the table, in any case,
// joined by commas.
func (c *call) usageColumns(wrong *webhook.Faults) (selected []usageColumn) {
	seen := map[string]bool{}
	for name := range strings.SplitSeq(c.query("$select"), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name == "" || seen[name] {
			continue
		}
		seen[name] = true
		column, known := usageColumnOf(name)
		if !known {
			wrong.Add("$select", "has %q, and the columns that are supported are %s", wire.Shorten(name), supportedColumns())
			return nil
		}
		selected = append(selected, column)
	}
	if len(selected) == 0 {
		wrong.Add("$select", "is required; the columns that are supported are %s", supportedColumns())
	}
	return selected
}

func usageColumnOf(name string) (usageColumn, bool) {
	for _, column := range usageColumns {
		if name == usageTable+"."+column.name {
			return column, true
		}
	}
	return usageColumn{}, false
}

func supportedColumns() string {
	names := make([]string, len(usageColumns))
	for i, column := range usageColumns {
		names[i] = usageTable + "." + column.name
	}
	return strings.Join(names, ", ")
}

// usageFilter reads $filter: the only one is for the id of a webhook. stated is false
// without a filter.
func (c *call) usageFilter(wrong *webhook.Faults) (id int32, stated bool) {
	words := strings.Fields(c.query("$filter"))
	if len(words) == 0 {
		return 0, false
	}
	const column = usageTable + ".webhook_usage_id"
	if len(words) == 3 && strings.EqualFold(words[0], column) && strings.EqualFold(words[1], "eq") {
		if n, err := strconv.ParseInt(words[2], 10, 32); err == nil {
			return int32(n), true
		}
	}
	wrong.Add("$filter", "must be %s eq and the id of a webhook, such as %[1]s eq 12: no other filter is supported", column)
	return 0, true
}
