package config_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/config"
)

var (
	parameterLine = regexp.MustCompile(`^  (\w+):$`)
	defaultLine   = regexp.MustCompile(`^    Default: "?(.*?)"?$`)
	variableLine  = regexp.MustCompile(`^ +([A-Z0-9_]+): !Ref (\w+)$`)
	byStageLine   = regexp.MustCompile(`^ +([A-Z0-9_]+): !FindInMap \[ByStage, !Ref Stage, (\w+)\]$`)
	stageLine     = regexp.MustCompile(`^    (dev|staging|prod): \{(.+)\}$`)
	stageValue    = regexp.MustCompile(`(\w+): "?([a-z]+)"?`)
)

// deployment is what template.yaml says about settings.
type deployment struct {
	defaults  map[string]string            // of each parameter; "required" without one
	variables map[string]string            // the parameter of each environment variable
	byStage   map[string]map[string]string // variable → stage → value
}

func readTemplate(t *testing.T) deployment {
	t.Helper()
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := deployment{defaults: map[string]string{}, variables: map[string]string{}, byStage: map[string]map[string]string{}}
	stages, section, parameter := map[string]map[string]string{}, "", ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line != "" && line[0] != ' ' && line[0] != '#' {
			section = line
		}
		if section == "Parameters:" {
			if m := parameterLine.FindStringSubmatch(line); m != nil {
				parameter = m[1]
				d.defaults[parameter] = "required"
			}
			if m := defaultLine.FindStringSubmatch(line); m != nil {
				d.defaults[parameter] = m[1]
			}
			continue
		}
		if m := stageLine.FindStringSubmatch(line); m != nil {
			stages[m[1]] = map[string]string{}
			for _, v := range stageValue.FindAllStringSubmatch(m[2], -1) {
				stages[m[1]][v[1]] = v[2]
			}
		}
		if m := variableLine.FindStringSubmatch(line); m != nil {
			if _, ok := d.defaults[m[2]]; ok { // otherwise it is the name of a resource
				d.variables[m[1]] = m[2]
			}
		}
		if m := byStageLine.FindStringSubmatch(line); m != nil {
			d.variables[m[1]], d.byStage[m[1]] = "Stage", map[string]string{}
			for stage, values := range stages {
				d.byStage[m[1]][stage] = values[m[2]]
			}
		}
	}
	if len(d.defaults) < 20 || len(d.variables) < 20 || len(stages) != 3 {
		t.Fatalf("the template has %d parameters, %d variables and %d stages", len(d.defaults), len(d.variables), len(stages))
	}
	return d
}

// Every setting that the template can set names its parameter, with the same
// default, and every parameter is in the table.
func TestTableOfSettings_AgreesWithTheTemplate(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	listed := map[string]string{"FirstCredential": "required"} // its variable names a secret
	variables := map[string]string{}
	for _, s := range config.Settings() {
		if s.Parameter == "" || s.Name == "FIRST_CREDENTIAL" {
			continue
		}
		variables[s.Name] = s.Parameter
		if stages, ok := template.byStage[s.Name]; ok {
			for _, stage := range []string{"staging", "prod"} {
				if stages[stage] != s.Deployed {
					t.Errorf("%s is %q in the stage %s, the table says %q", s.Name, stages[stage], stage, s.Deployed)
				}
			}
			if !strings.HasSuffix(s.Meaning, "in the stage `dev` it is `"+stages["dev"]+"`") {
				t.Errorf("%s: the table does not say that it is %s in the stage dev", s.Name, stages["dev"])
			}
			continue
		}
		listed[s.Parameter] = s.Deployed
	}
	for _, s := range config.Parameters {
		listed[s.Parameter] = s.Deployed
	}
	if diff := cmp.Diff(template.variables, variables); diff != "" {
		t.Errorf("parameters of settings (-template +table):\n%s", diff)
	}
	if diff := cmp.Diff(template.defaults, listed); diff != "" {
		t.Errorf("defaults of parameters (-template +table):\n%s", diff)
	}
}

// The template's defaults are valid, and mean what an unset variable means.
func TestLoadDeployed_TemplateDefaultsAreOurs(t *testing.T) {
	t.Parallel()
	parameters := readTemplate(t)
	pairs := template
	for variable, parameter := range parameters.variables {
		value := parameters.defaults[parameter]
		if stages, ok := parameters.byStage[variable]; ok {
			value = stages["prod"]
		}
		pairs = append(pairs[:len(pairs):len(pairs)], variable, value)
	}
	want, err := config.LoadAPI(env(template...))
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.LoadAPI(env(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("LoadAPI (-unset +template's defaults):\n%s", diff)
	}
}
