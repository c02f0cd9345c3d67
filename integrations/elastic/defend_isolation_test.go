package elastic

import (
	"fmt"
	"testing"
	"time"
)

const deviceID = agentID("00000000-0000-4000-8000-000000000001")

// at is a minute of the day on which the orders of these tests are given.
func at(minute int) moment {
	return moment{time.Date(2026, 11, 30, 8, minute, 0, 0, time.UTC)}
}

// ordered is an action that was ordered in a minute; done is the minute in which the device
// carried it out, 0 for one that it never answered.
func ordered(command string, from, done int, key string) action {
	a := action{ID: fmt.Sprintf("00000000-0000-4000-8000-0000000%05d", from), Command: command, Started: at(from), Agents: manyText{string(deviceID)}}
	if key != "" {
		a.Comment = leaseComment + key + ": case 1"
	}
	if done > 0 {
		a.Completed, a.Success, a.Ended = true, true, at(done)
	}
	return a
}

func failed(a action) action {
	a.Completed, a.Success, a.Ended = true, false, at(20)
	return a
}

func expired(a action) action {
	a.Expired = true
	return a
}

func TestIsolationIsTheDevicesOwnWord(t *testing.T) {
	for name, c := range map[string]struct {
		isolated       bool
		written, heard int
		actions        []action
		stands, open   bool
		key            string
		word           string
	}{
		"nothing":                      {false, 30, 30, nil, false, false, "", "none"},
		"isolated by nobody who said":  {true, 30, 30, nil, true, false, "", "isolated"},
		"ours":                         {true, 30, 30, []action{ordered(cmdIsolate, 1, 2, "k")}, true, false, "k", "isolated"},
		"ordered":                      {false, 30, 30, []action{ordered(cmdIsolate, 1, 0, "k")}, false, true, "k", "isolating"},
		"carried out, not told yet":    {false, 1, 30, []action{ordered(cmdIsolate, 1, 2, "k")}, false, true, "k", "isolating"},
		"released, not told yet":       {true, 3, 30, []action{ordered(cmdIsolate, 1, 2, "k"), ordered(cmdUnisolate, 3, 4, "k")}, true, true, "k", "releasing"},
		"released":                     {false, 30, 30, []action{ordered(cmdIsolate, 1, 2, "k"), ordered(cmdUnisolate, 3, 4, "k")}, false, false, "", "none"},
		"being released":               {true, 30, 30, []action{ordered(cmdIsolate, 1, 2, "k"), ordered(cmdUnisolate, 3, 0, "k")}, true, true, "k", "releasing"},
		"released in another way":      {false, 30, 30, []action{ordered(cmdIsolate, 1, 2, "k")}, false, false, "", "none"},
		"isolated after our release":   {true, 30, 30, []action{ordered(cmdIsolate, 1, 2, "k"), ordered(cmdUnisolate, 3, 4, "k")}, true, false, "", "isolated"},
		"never answered, and isolated": {true, 30, 30, []action{ordered(cmdIsolate, 1, 0, "k")}, true, false, "k", "isolated"},
		"shown before it was ordered":  {true, 2, 30, []action{ordered(cmdIsolate, 3, 0, "k")}, true, true, "k", "isolated"},
		"not heard since":              {true, 30, 2, []action{ordered(cmdIsolate, 3, 0, "k")}, true, true, "k", "isolated"},
		"failed":                       {false, 30, 30, []action{failed(ordered(cmdIsolate, 1, 0, "k"))}, false, false, "", "none"},
		"expired":                      {false, 30, 30, []action{expired(ordered(cmdIsolate, 1, 0, "k"))}, false, false, "", "none"},
		"expired, and isolated":        {true, 30, 30, []action{expired(ordered(cmdIsolate, 1, 0, "k"))}, true, false, "k", "isolated"},
		"expired, and not heard since": {true, 30, 2, []action{expired(ordered(cmdIsolate, 3, 0, "k"))}, true, false, "", "isolated"},
		"expired, and released":        {false, 30, 30, []action{ordered(cmdIsolate, 1, 2, "k"), expired(ordered(cmdUnisolate, 3, 0, "k"))}, false, false, "", "none"},
		"a failed release":             {true, 30, 30, []action{ordered(cmdIsolate, 1, 2, "k"), failed(ordered(cmdUnisolate, 3, 0, "k"))}, true, false, "k", "isolated"},
		"lost before a release":        {false, 30, 30, []action{ordered(cmdIsolate, 1, 2, "k"), ordered(cmdIsolate, 3, 0, ""), ordered(cmdUnisolate, 4, 5, "k")}, false, false, "", "none"},
		"may come after a release":     {false, 8, 30, []action{ordered(cmdIsolate, 3, 0, "k"), ordered(cmdUnisolate, 4, 5, "")}, false, true, "k", "isolating"},
		"somebody else's":              {true, 30, 30, []action{ordered(cmdIsolate, 1, 2, "")}, true, false, "", "isolated"},
		"ours and somebody else's":     {true, 30, 30, []action{ordered(cmdIsolate, 1, 2, "k"), ordered(cmdIsolate, 3, 4, "")}, true, false, "", "isolated"},
		"somebody else's before":       {true, 30, 30, []action{ordered(cmdIsolate, 1, 2, ""), ordered(cmdUnisolate, 3, 4, ""), ordered(cmdIsolate, 5, 6, "k")}, true, false, "k", "isolated"},
		"answered after its release":   {false, 30, 30, []action{ordered(cmdIsolate, 1, 6, "k"), ordered(cmdUnisolate, 3, 4, "k")}, false, false, "", "none"},
		"and isolated for another":     {true, 30, 30, []action{ordered(cmdIsolate, 1, 6, "k"), ordered(cmdUnisolate, 3, 4, "k"), ordered(cmdIsolate, 20, 21, "j")}, true, false, "j", "isolated"},
		"somebody else's right before": {true, 30, 30, []action{ordered(cmdIsolate, 15, 16, ""), ordered(cmdIsolate, 17, 18, "k")}, true, false, "", "isolated"},
		"somebody else's right after":  {true, 30, 30, []action{ordered(cmdIsolate, 1, 2, "k"), ordered(cmdIsolate, 20, 21, "")}, true, false, "", "isolated"},
		"answered in another order":    {true, 30, 30, []action{ordered(cmdUnisolate, 3, 4, "k"), ordered(cmdIsolate, 1, 6, "k")}, true, false, "k", "isolated"},
	} {
		t.Run(name, func(t *testing.T) {
			s := isolationOf(c.isolated, at(c.written).Time, at(c.heard).Time, c.actions)
			var d device
			r := s.reading(d)
			if r.Stands != c.stands || r.Pending != c.open || r.Key != c.key || s.word() != c.word {
				t.Errorf("stands %t, pending %t, key %q, %s; want %t, %t, %q, %s", r.Stands, r.Pending, r.Key, s.word(), c.stands, c.open, c.key, c.word)
			}
		})
	}
	s := isolationOf(true, at(30).Time, at(30).Time, []action{ordered(cmdIsolate, 1, 2, "k"), ordered(cmdIsolate, 3, 4, "k")})
	if n := s.copies(s.key()); n != 2 {
		t.Errorf("there are %d copies, want 2", n)
	}
	s = isolationOf(true, at(30).Time, at(30).Time, []action{ordered(cmdIsolate, 1, 6, "k"), ordered(cmdUnisolate, 3, 4, "k"), ordered(cmdIsolate, 20, 21, "k")})
	if n := s.copies(s.key()); n != 0 {
		t.Errorf("there are %d copies of an isolation whose first answer came late, want none", n)
	}
}

// An action that was sent to several devices is read as that of the one.
func TestAnActionOfSeveralDevices(t *testing.T) {
	const other = "00000000-0000-4000-8000-000000000002"
	a := action{Command: cmdIsolate, Agents: manyText{string(deviceID), other}, States: map[string]agentWork{
		string(deviceID): {}, other: {Completed: true, Success: true, Ended: at(3)},
	}}
	if own := a.of(deviceID); own.ended() {
		t.Error("it has ended on another device alone")
	}
	if own := a.of(other); !own.succeeded() || !own.at().Equal(at(3).Time) {
		t.Errorf("on the other it is %+v", own)
	}
}
