package functions_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	templateParameter = regexp.MustCompile(`(?m)^  (\w+):\n    Type:`)
	ofMake            = regexp.MustCompile(`^(MAKE[A-Z]*|MFLAGS|ENV|SAM|AWS|STACK|VERSION|ARCH|Arch|Stage|FIRST_CREDENTIAL|FirstCredential)=`)
)

// madeDeployment is what sam and the AWS CLI saw of `make deploy`.
type madeDeployment struct {
	args       string // of sam deploy
	parameters string // the file that it was given
	arch       string // ARCH as sam build saw it
	calls      string // of the AWS CLI
	output     string
}

// The programs that take the place of sam and of the AWS CLI. The second one reports
// the parameters that sam was given; ALTERED is one that arrives otherwise.
const (
	fakeSAM = `#!/bin/sh
echo "$@" >"$FAKES/$1"
printf %s "$ARCH" >"$FAKES/arch-$1"
for a; do case $a in file://*) cp "${a#file://}" "$FAKES/parameters"; stat -c %a "${a#file://}" >"$FAKES/mode";; esac; done
`
	fakeAWS = `#!/bin/sh
echo "$1 $2" >>"$FAKES/calls"
case $2 in
describe-stacks) sed 's/^[{,]*"\([A-Za-z0-9]*\)": "\(.*\)"[,}]*$/\1\t\2/' "$FAKES/parameters" | sed "s/^$ALTERED\t.*/$ALTERED\tother/" ;;
get-secret-value) sed -n 's/^"FirstCredential": "\(.*\)"}$/\1/p' "$FAKES/parameters" ;;
esac
`
)

// makeDeploy runs `make deploy` with a sam and an AWS CLI that only record. A
// variable of environment is NAME=value.
func makeDeploy(t *testing.T, environment []string, overrides ...string) (d madeDeployment) {
	t.Helper()
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"sam": fakeSAM, "aws": fakeAWS} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), "make", append([]string{"-C", "..", "deploy", "SAM=" + dir + "/sam", "AWS=" + dir + "/aws"}, overrides...)...) //nolint:gosec // ours
	// What make passes on to the make below it, and what the Makefile takes from
	// the environment, is not part of the test.
	command.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool { return ofMake.MatchString(variable) })
	command.Env = append(append(command.Env, "FAKES="+dir, "TMPDIR="+dir), environment...)
	out, _ := command.CombinedOutput() // its failure is what it prints
	recorded := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(dir, name)) // absent if it was not called
		return strings.TrimSpace(string(text))
	}
	if mode := recorded("mode"); mode != "600" && mode != "" {
		t.Errorf("others may read the file of parameters: its mode is %s", mode)
	}
	args, _, _ := strings.Cut(recorded("deploy"), " file://")
	return madeDeployment{args, recorded("parameters"), recorded("arch-build"), recorded("calls"), string(out)}
}

// Every parameter of the template reaches sam, whatever characters are in its value;
// the password comes by the environment.
func TestMakeDeploy_PassesEveryParameter(t *testing.T) {
	t.Parallel()
	const value = `a $b (c) d, e=f#g  h%i;j&k`
	var given, want []string
	section, _, _ := strings.Cut(read(t, "../template.yaml"), "\nRules:")
	matches := templateParameter.FindAllStringSubmatch(section, -1)
	if len(matches) < 20 {
		t.Fatalf("found %d parameters in the template", len(matches))
	}
	for _, m := range matches {
		v := value
		switch m[1] {
		case "Stage":
			v = "prod"
		case "Arch":
			v = "x86_64"
		}
		if m[1] != "FirstCredential" {
			given = append(given, m[1]+"="+v)
		}
		want = append(want, `"`+m[1]+`": "`+v+`"`)
	}
	d := makeDeploy(t, []string{"FIRST_CREDENTIAL=" + value}, append(given, "ENV=staging")...)
	got := strings.Split(strings.Trim(d.parameters, "{}\n"), ",\n")
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parameters (-want +got):\n%s\n%s", diff, d.output)
	}
	if d.arch != "x86_64" {
		t.Errorf("sam builds for %q, and deploys functions of x86_64", d.arch)
	}
	if strings.Contains(d.args, "FirstCredential") || d.args != "deploy --config-env staging --parameter-overrides" {
		t.Errorf("the arguments of sam are %s", d.args)
	}
	if !strings.Contains(d.output, "the parameters arrived as given") || !strings.Contains(d.calls, "update-termination-protection") {
		t.Errorf("the stack was not checked, or is not protected:\n%s\n%s", d.calls, d.output)
	}
}

func TestMakeDeploy_Defaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		environment, given []string
		want               string
	}{
		"dev has a well-known credential":    {nil, nil, `{"Stage": "dev", "Arch": "arm64", "FirstCredential": "tje0:Tje0"}`},
		"other stages keep the deployed one": {nil, []string{"ENV=prod"}, `{"Stage": "prod", "Arch": "arm64"}`},
		"a credential in the environment":    {[]string{"FIRST_CREDENTIAL=a:$b"}, []string{"ENV=prod"}, `{"Stage": "prod", "Arch": "arm64", "FirstCredential": "a:$b"}`},
		"ARCH is Arch":                       {nil, []string{"ENV=prod", "ARCH=x86_64"}, `{"Stage": "prod", "Arch": "x86_64"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := makeDeploy(t, c.environment, c.given...)
			if got := strings.ReplaceAll(d.parameters, "\n", " "); got != c.want {
				t.Errorf("got %s\nwant %s\n%s", got, c.want, d.output)
			}
		})
	}
}

func TestMakeDeploy_Refuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		given []string
		want  string
	}{
		"a misspelled parameter":              {[]string{"QueueConcurency=5"}, "template.yaml has no parameter QueueConcurency"},
		"a password on the command line":      {[]string{"FIRST_CREDENTIAL=a:b"}, "pass FIRST_CREDENTIAL in the environment"},
		"two architectures":                   {[]string{"ARCH=x86_64", "Arch=arm64"}, "ARCH is x86_64 and Arch is arm64"},
		"what sam would alter: a quote":       {[]string{`UserAgent=a"b`}, "UserAgent must not contain quotes"},
		"what sam would alter: an edge":       {[]string{"UserAgent=a "}, "UserAgent must not contain quotes, backslashes or control characters, nor begin or end with a space"},
		"what sam would alter: a backslash":   {[]string{`UserAgent=a\b`}, "UserAgent must not contain quotes"},
		"what sam would alter: an apostrophe": {[]string{`UserAgent=a'b`}, "UserAgent must not contain quotes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if d := makeDeploy(t, nil, c.given...); d.args != "" || !strings.Contains(d.output, c.want) {
				t.Errorf("got %s\n%s", d.args, d.output)
			}
		})
	}
}

// A parameter that arrives otherwise fails the deployment.
func TestMakeDeploy_ChecksWhatArrived(t *testing.T) {
	t.Parallel()
	d := makeDeploy(t, []string{"ALTERED=UserAgent"}, "UserAgent=a b")
	if !strings.Contains(d.output, "UserAgent is 'other', not 'a b' as given") || strings.Contains(d.output, "arrived as given") {
		t.Errorf("got %s", d.output)
	}
}
