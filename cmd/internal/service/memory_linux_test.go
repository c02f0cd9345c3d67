package service

import "testing"

func TestAServiceGivesBackWhatItsStartHasRead(t *testing.T) {
	before := resident(t)
	if err := giveBackStart(); err != nil {
		t.Fatal(err)
	}
	if after := resident(t); after > before*3/4 {
		t.Errorf("%d KiB of the program are in memory, and were %d", after, before)
	}
}

func resident(t *testing.T) int {
	t.Helper()
	mapped, err := program()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, m := range mapped {
		sum += m.resident
	}
	return sum
}
