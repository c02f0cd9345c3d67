package config

import "testing"

func TestRate(t *testing.T) {
	for text, want := range map[string]Rate{"50/s": 50, "30/m": 0.5, "36/h": 0.01, "50": 0, "0/s": 0, "-1/s": 0, "x/s": 0, "5/d": 0} {
		var r Rate
		if err := r.UnmarshalText([]byte(text)); (err == nil) != (want != 0) || r != want {
			t.Errorf("%s: %v, %v; want %v", text, r, err, want)
		}
	}
}
