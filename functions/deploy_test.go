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
	ofMake            = regexp.MustCompile(`^(MAKE[A-Z]*|MFLAGS|ENV|SAM|STACK|VERSION|ARCH|Arch|Stage|FIRST_CREDENTIAL|FirstCredential)=`)
)

// makeDeploy runs `make deploy` with a sam that only records its arguments, and
// returns those of `sam deploy`, ARCH as `sam build` sees it, and the output.
func makeDeploy(t *testing.T, overrides ...string) (args []string, arch, output string) {
	t.Helper()
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed")
	}
	dir := t.TempDir()
	sam := filepath.Join(dir, "sam")
	script := "#!/bin/sh\nprintf '%s\\n' \"$@\" >" + dir + "/$1\nprintf %s \"$ARCH\" >" + dir + "/arch-$1\n"
	if err := os.WriteFile(sam, []byte(script), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "make", append([]string{"-C", "..", "deploy", "SAM=" + sam}, overrides...)...) //nolint:gosec // ours
	// What make passes on to the make below it, and what the Makefile takes from
	// the environment, is not part of the test.
	command.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool { return ofMake.MatchString(variable) })
	out, _ := command.CombinedOutput() // its failure is what it prints
	deploy, err := os.ReadFile(filepath.Join(dir, "deploy"))
	if err != nil {
		return nil, "", string(out)
	}
	return strings.Split(strings.TrimSuffix(string(deploy), "\n"), "\n"), read(t, filepath.Join(dir, "arch-build")), string(out)
}

// Every parameter of the template reaches sam, whatever characters are in its
// value; sam unquotes it.
func TestMakeDeploy_PassesEveryParameter(t *testing.T) {
	t.Parallel()
	const value = `a $b 'c' "d", e=f\g#h`
	given, want := []string{"ENV=staging"}, []string{"deploy", "--config-env", "staging", "--parameter-overrides"}
	section, _, _ := strings.Cut(read(t, "../template.yaml"), "\nRules:")
	matches := templateParameter.FindAllStringSubmatch(section, -1)
	if len(matches) < 20 {
		t.Fatalf("found %d parameters in the template", len(matches))
	}
	var quoted []string
	for _, m := range matches {
		v := value
		switch m[1] {
		case "Stage":
			v = "prod"
		case "Arch":
			v = "x86_64"
		}
		given = append(given, m[1]+"="+v)
		quoted = append(quoted, m[1]+`="`+strings.ReplaceAll(v, `"`, `\"`)+`"`)
	}
	args, arch, output := makeDeploy(t, given...)
	if len(args) < len(want) {
		t.Fatalf("sam deploy was not called:\n%s", output)
	}
	slices.Sort(quoted)
	slices.Sort(args[len(want):])
	if diff := cmp.Diff(append(want, quoted...), args); diff != "" {
		t.Errorf("arguments of sam (-want +got):\n%s", diff)
	}
	if arch != "x86_64" {
		t.Errorf("sam builds for %q, and deploys functions of x86_64", arch)
	}
}

func TestMakeDeploy_Defaults(t *testing.T) {
	t.Parallel()
	const common = "deploy --config-env "
	for name, c := range map[string]struct {
		given []string
		want  string
	}{
		"dev has a well-known credential":    {nil, common + `dev --parameter-overrides Stage="dev" Arch="arm64" FirstCredential="tje0:Tje0"`},
		"other stages keep the deployed one": {[]string{"ENV=prod"}, common + `prod --parameter-overrides Stage="prod" Arch="arm64"`},
		"FIRST_CREDENTIAL is its other name": {[]string{"ENV=prod", "FIRST_CREDENTIAL=a:b"}, common + `prod --parameter-overrides Stage="prod" Arch="arm64" FirstCredential="a:b"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args, _, output := makeDeploy(t, c.given...)
			if got := strings.Join(args, " "); got != c.want {
				t.Errorf("got %s\nwant %s\n%s", got, c.want, output)
			}
		})
	}
}

func TestMakeDeploy_RefusesAMisspelledParameter(t *testing.T) {
	t.Parallel()
	args, _, output := makeDeploy(t, "QueueConcurency=5")
	if args != nil || !strings.Contains(output, "template.yaml has no parameter QueueConcurency") {
		t.Errorf("got %v\n%s", args, output)
	}
}
