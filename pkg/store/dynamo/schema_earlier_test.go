package dynamo_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// During a deployment, and after a rollback, the earlier version works on what this one
// has written, and the other way round. The code of the earlier version is that of the
// commit in testdata/schema/EARLIER.
func TestSchema_EarlierVersion(t *testing.T) {
	t.Parallel()
	earlier := checkout(t)
	theirs := filepath.Join(earlier, "pkg/store/dynamo", schemaFolder)
	t.Run("this version reads and writes what the earlier one wrote", func(t *testing.T) {
		_, s := load(t, theirs)
		var want any
		readJSON(t, filepath.Join(theirs, "readings.json"), &want)
		report(t, crossed("", want, plain(t, readings(t.Context(), s))))
		messagesAre(t, theirs, false)
		change(t, s)
		report(t, unread(t, s))
	})
	t.Run("the earlier version reads and writes what this one wrote", func(t *testing.T) {
		ours, err := filepath.Abs(schemaFolder)
		if err != nil {
			t.Fatal(err)
		}
		out := t.TempDir()
		cmd := exec.CommandContext(t.Context(), "go", "test", "./pkg/store/dynamo", "-run", "^TestSchema_OfANewerVersion$", "-count=1", "-v")
		cmd.Dir, cmd.Env = earlier, append(os.Environ(), "SCHEMA_NEWER="+ours, "SCHEMA_OUT="+out)
		text, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(text, []byte("--- PASS: TestSchema_OfANewerVersion")) {
			t.Fatalf("the earlier version: %v\n%s", err, text)
		}
		_, s := load(t, out)
		report(t, unread(t, s))
		report(t, kept(t, theirs, ours, out))
	})
}

// checkout returns a folder with the files of the earlier version.
func checkout(t *testing.T) string {
	t.Helper()
	name, err := os.ReadFile(filepath.Join(schemaFolder, "EARLIER"))
	if err != nil {
		t.Fatal(err)
	}
	commit, folder := strings.TrimSpace(string(name)), t.TempDir()
	if text, err := exec.CommandContext(t.Context(), "git", "cat-file", "-e", commit+"^{commit}").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, nothing was compared: git has no commit %s here (a shallow clone or an archive; git fetch --unshallow gets it): %s", commit, text)
	}
	archive := exec.CommandContext(t.Context(), "git", "archive", commit)
	archive.Dir = root(t)
	unpack := exec.CommandContext(t.Context(), "tar", "-x", "-C", folder)
	read, write := io.Pipe()
	archive.Stdout, unpack.Stdin = write, read
	if err := unpack.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.CloseWithError(archive.Run())
	if err := unpack.Wait(); err != nil {
		t.Fatalf("git archive %s: %v", commit, err)
	}
	return folder
}

// root returns the folder of the repository: git archive writes the folder it is in.
func root(t *testing.T) string {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// kept returns the attributes that only the newer version knows and that the older one
// lost when it changed the items.
func kept(t *testing.T, older, newer, changed string) (faults []string) {
	t.Helper()
	attributes := func(folder string) map[string]map[string]json.RawMessage {
		files, err := filepath.Glob(filepath.Join(folder, "items", "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]map[string]json.RawMessage{}
		for _, file := range files {
			var item map[string]json.RawMessage
			readJSON(t, file, &item)
			all[filepath.Base(file)] = item
		}
		return all
	}
	known := map[string]bool{}
	for name, item := range attributes(older) {
		table, _, _ := strings.Cut(name, "_")
		for attribute := range item {
			known[table+" "+attribute] = true
		}
	}
	after := attributes(changed)
	for name, item := range attributes(newer) {
		table, _, _ := strings.Cut(name, "_")
		for attribute := range item {
			if _, left := after[name][attribute]; after[name] != nil && !left && !known[table+" "+attribute] {
				faults = append(faults, fmt.Sprintf("%s: the earlier version lost the attribute %s", name, attribute))
			}
		}
	}
	return faults
}
