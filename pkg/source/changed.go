package source

import (
	"bytes"
	"encoding/json"
	"slices"
)

// changedMembers returns the names of the members that differ between two
// revisions of a source, as the wire spells them: "Bus.Fields".
func changedMembers(before, after Source) []string {
	var changed []string
	for _, part := range []struct {
		name          string
		before, after any
	}{{"Bus", before.Bus, after.Bus}, {"Table", before.Table, after.Table}, {"Relay", before.Relay, after.Relay}} {
		old, updated := memberValues(part.before), memberValues(part.after)
		for name, value := range updated {
			if bytes.Equal(old[name], value) {
				continue
			}
			switch name {
			case "Rotations", "RotationDay":
				continue // not on the wire
			case "SecretOverlap":
				name = "SecretOverlapSeconds"
			}
			changed = append(changed, part.name+"."+name)
		}
	}
	if before.ExpectWithin != after.ExpectWithin {
		changed = append(changed, "ExpectWithinMinutes")
	}
	slices.Sort(changed)
	return changed
}

// memberValues returns a struct's members as JSON.
func memberValues(of any) map[string]json.RawMessage {
	text, err := json.Marshal(of)
	members := map[string]json.RawMessage{}
	if err == nil {
		err = json.Unmarshal(text, &members)
	}
	if err != nil { // a source's parts always marshal
		panic(err)
	}
	return members
}
