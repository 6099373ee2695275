package source_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/source"
)

func TestReason_EachHasOneSentence(t *testing.T) {
	t.Parallel()
	code, err := os.ReadFile("outcome.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	constants := regexp.MustCompile(`(?m)^\tReason\w+ +Reason = "(\w+)"`).FindAllSubmatch(code, -1)
	for _, constant := range constants {
		text := source.Reason(constant[1]).Text()
		if text == "" || strings.Count(text, ". ") > 0 && !strings.Contains(text, "_ . -") || !strings.HasSuffix(text, ".") || seen[text] {
			t.Errorf("%s: %q is not one sentence of its own", constant[1], text)
		}
		seen[text] = true
	}
	if len(constants) == 0 || len(constants) != len(source.Reasons()) {
		t.Errorf("%d constants, %d sentences", len(constants), len(source.Reasons()))
	}
	if text := source.Reason("").Text(); text != "" {
		t.Errorf("no reason: got %q", text)
	}
}

func TestReason_OpenAPIHasThemAll(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../httpapi/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct {
			Schemas struct {
				SourceOutcome struct {
					OneOf []struct {
						Properties struct {
							Skip struct{ Enum []source.Reason }
						}
					}
				}
			}
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var documented []source.Reason
	for _, alternative := range doc.Components.Schemas.SourceOutcome.OneOf {
		documented = append(documented, alternative.Properties.Skip.Enum...)
	}
	want := source.Reasons()
	slices.Sort(want)
	slices.Sort(documented)
	if diff := cmp.Diff(want, documented); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
