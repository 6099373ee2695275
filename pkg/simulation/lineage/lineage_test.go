package lineage_test

import (
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/simulation/lineage"
)

func TestNumber_IsInheritedAndThenOwn(t *testing.T) {
	t.Parallel()
	lineage.Set(7)
	child := make(chan [2]uint64)
	go func() {
		inherited := lineage.Number()
		lineage.Set(8)
		child <- [2]uint64{inherited, lineage.Number()}
	}()
	if got, want := <-child, [2]uint64{7, 8}; got != want {
		t.Errorf("the child had %v, want %v", got, want)
	}
	if got := lineage.Number(); got != 7 {
		t.Errorf("the parent has %d, want 7", got)
	}
}
