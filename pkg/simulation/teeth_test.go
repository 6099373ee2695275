package simulation_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	teeth = flag.Bool("teeth", false, "run the simulation on every mutant")
	bite  = flag.String("mutant", "", "with -teeth: only mutants whose name matches this expression")
	least = flag.Int("least", 2000, "with -teeth: seeds for every mutant")
	most  = flag.Int("most", 10_000, "with -teeth: seeds for a mutant that survives -least")
)

// allMutants are the mutants of all parts.
func allMutants() []mutant {
	return slices.Concat(
		mutants,
		ingestMutants,
		replayMutants,
		relayMutants,
		doomMutants,
		alienMutants,
		damageMutants,
		drainMutants, laneMutants,
		templateMutants,
	)
}

// TestTeeth runs the simulation on every mutant, each in its own build. A
// surviving mutant shows that the simulation is too weak.
func TestTeeth(t *testing.T) {
	if !*teeth {
		t.Skip("takes minutes: make simulate-teeth")
	}
	chosen := regexp.MustCompile(*bite)
	for _, m := range allMutants() {
		if !chosen.MatchString(m.name) {
			continue
		}
		survived, cause, err := m.run(t, *least, 1)
		if err == nil && cause == "" && *most > *least {
			survived, cause, err = m.run(t, *most-*least, 1+*least)
			survived += *least
		}
		switch {
		case err != nil:
			t.Errorf("%s: %v", m.name, err)
		case cause == "":
			t.Errorf("%-75s survives %d seeds", m.name, survived)
		default:
			fmt.Printf("%-75s survives %5d seeds, then %s\n", m.name, survived, cause)
		}
	}
}

// TestMutants checks that every mutant still applies to the product: a break
// that breaks nothing would prove nothing.
func TestMutants(t *testing.T) {
	t.Parallel()
	for _, m := range allMutants() {
		if _, err := m.apply(); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

// apply returns the file with the break.
func (m mutant) apply() (string, error) {
	source, err := os.ReadFile(filepath.Join("..", "..", m.file))
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		return "", fmt.Errorf("%s contains the snippet to break %d times, not once:\n%s", m.file, n, m.old)
	}
	return strings.Replace(string(source), m.old, m.new, 1), nil
}

var (
	failedSeed = regexp.MustCompile(`seed (\d+) breaks a promise:\n\s*(.*)\n`)
	allPassed  = regexp.MustCompile(`(?m)^ok\s`)
)

// run plays n seeds on the mutant. It returns how many passed before one
// failed, and why that one failed.
func (m mutant) run(t *testing.T, n, first int) (survived int, cause string, err error) {
	t.Helper()
	source, err := m.apply()
	if err != nil {
		return 0, "", err
	}
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.go")
	if err := os.WriteFile(broken, []byte(source), 0o600); err != nil {
		return 0, "", err
	}
	original, err := filepath.Abs(filepath.Join("..", "..", m.file))
	if err != nil {
		return 0, "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: broken}})
	if err != nil {
		return 0, "", err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return 0, "", err
	}
	out, err := exec.CommandContext(t.Context(), "go", "test", "-overlay", list, "-vet=off", "-count=1", "-timeout=60m",
		"-run=^TestSimulation$", ".", "-seeds", strconv.Itoa(n), "-from", strconv.Itoa(first)).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, "", err
	}
	if found := failedSeed.FindSubmatch(out); found != nil {
		seed, err := strconv.Atoi(string(found[1]))
		return seed - first, string(found[2]), err
	}
	if allPassed.Match(out) {
		return n, "", nil
	}
	return 0, "", fmt.Errorf("no verdict:\n%s", out[:min(len(out), 2000)])
}
