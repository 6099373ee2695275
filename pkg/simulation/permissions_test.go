package simulation_test

import (
	"context"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// webhookKeys are the patterns of the partitions of the table Webhooks that
// template.yaml lets DeliverFunction and RetryFunction read and write. IAM's *
// matches any characters.
var webhookKeys = sync.OnceValue(func() []string {
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		panic(err)
	}
	condition := regexp.MustCompile(`Condition: &webhookKeys .*\n +"ForAllValues:StringLike": {dynamodb:LeadingKeys: \[(.+)\]}`).FindSubmatch(template)
	if condition == nil {
		panic("template.yaml has no condition &webhookKeys")
	}
	return strings.Split(strings.ReplaceAll(string(condition[1]), `"`, ""), ", ")
})

// authorize reports a call that the role of its function does not allow because of
// its key: each is a key that the function needs, or must not have.
func (d *database) authorize(ctx context.Context, table *string, key map[string]types.AttributeValue) {
	p := processOf(ctx)
	if p == nil || *table != tableWebhooks || !strings.HasPrefix(p.name, "deliver") && !strings.HasPrefix(p.name, "retry") {
		return
	}
	pk := str(key["pk"])
	if !slices.ContainsFunc(webhookKeys(), func(pattern string) bool {
		matched, err := path.Match(pattern, strings.ReplaceAll(pk, "/", " "))
		return matched && err == nil
	}) {
		d.w.violated("permissions", "%s may not use the partition %q of the table %s", p.name, pk, *table)
	}
}
