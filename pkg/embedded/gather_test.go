package embedded

import (
	"testing"
	"testing/synctest"
	"time"
)

// What is not urgent waits for something urgent to be committed with, and nothing urgent
// waits for more of its kind for longer than it did.
func TestGather(t *testing.T) {
	t.Parallel()
	type arrival struct {
		after  time.Duration
		urgent bool
	}
	const ms = time.Millisecond
	for _, tt := range []struct {
		name    string
		arrive  []arrival // the first one begins the group
		after   time.Duration
		writes  int
		leaving int
	}{
		{"an urgent write alone", []arrival{{0, true}}, linger, 1, 0},
		{"one that is not, alone", []arrival{{0, false}}, patience, 1, 0},
		{"an urgent one joins it", []arrival{{0, false}, {2 * ms, true}}, 2*ms + linger, 2, 0},
		{"others join both", []arrival{{0, false}, {ms, false}, {2 * ms, true}, {2*ms + linger/2, true}}, 2*ms + linger, 4, 0},
		{"one that is not does not delay an urgent one", []arrival{{0, true}, {linger / 2, false}}, linger, 2, 0},
		{"the next group", []arrival{{0, true}, {ms, true}}, linger, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				db := &DB{writes: make(chan *write, len(tt.arrive))}
				for _, a := range tt.arrive[1:] {
					time.AfterFunc(a.after, func() { db.writes <- &write{urgent: a.urgent} })
				}
				began := time.Now()
				group := db.gather(&write{urgent: tt.arrive[0].urgent})
				if took := time.Since(began); took != tt.after || len(group) != tt.writes {
					t.Errorf("%d writes after %v, want %d after %v", len(group), took, tt.writes, tt.after)
				}
				synctest.Wait()
				time.Sleep(time.Second) // of the bubble
				if len(db.writes) != tt.leaving {
					t.Errorf("%d writes are left, want %d", len(db.writes), tt.leaving)
				}
			})
		})
	}
}
