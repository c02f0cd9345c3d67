package incident

import "cmp"

// Facts are everything that a policy sees of a case. A fact that was not
// obtained has only unknown fields, each with the reason.
type Facts struct {
	Alert    Alert    `json:"alert"`
	Endpoint Endpoint `json:"endpoint"`
	Process  Process  `json:"process"`
	// Candidate is the process that is only guessed to send. Nothing is done to it.
	Candidate Process  `json:"candidate,omitzero"`
	Traffic   Traffic  `json:"traffic"`
	Baseline  Baseline `json:"baseline"`
	Asset     Asset    `json:"asset"`
}

// DisownGuess makes the process a mere candidate where it was not joined to the
// traffic connection by connection. One that sends by a driver or raw sockets is
// not seen, and a benign process next to it must not vouch for it.
func (f *Facts) DisownGuess() {
	how, known := f.Traffic.Attribution.Get()
	if known && Attribution(how) == Exact || f.Process == (Process{}) {
		return
	}
	why := whyGuessed(Attribution(how))
	if !known {
		why = "who sends is not joined to the traffic"
		if reason := f.Traffic.Attribution.Why(); reason != "" {
			why += ": " + reason
		}
	}
	guess := f.Process
	f.Process = Process{}
	if !guess.named() {
		Explain(&f.Process, cmp.Or(guess.Path.Why(), why))
		return
	}
	Explain(&f.Process, why)
	if !f.Candidate.named() {
		f.Candidate = guess
	}
}

// whyGuessed returns why a join that is not exact names no process.
func whyGuessed(how Attribution) string {
	switch how {
	case Destination:
		return "only guessed, by the destination"
	case ProcessList:
		return "only guessed, from the list of processes"
	case Exact, NoneJoined:
	}
	return "no process was joined to the traffic"
}

// Suspect sets the candidate that a policy reads under that name: the process
// itself where it is known, else the one that is guessed, else none.
func (f *Facts) Suspect() {
	if f.Process.named() {
		f.Candidate = f.Process
	}
	Explain(&f.Candidate, cmp.Or(f.Process.Path.Why(), "no process can be guessed"))
}

// Missing is one value that a decision would have needed.
type Missing struct {
	Path string `json:"path"` // such as baseline.p99
	Why  string `json:"why,omitempty"`
}

// MissingTexts says each for people.
func MissingTexts(missing []Missing) []string {
	texts := make([]string, 0, len(missing))
	for _, m := range missing {
		texts = append(texts, m.String())
	}
	return texts
}

// String says it for people: baseline.p99 is unknown (flows: unavailable).
func (m Missing) String() string {
	if m.Why == "" {
		return m.Path + " is unknown"
	}
	return m.Path + " is unknown (" + m.Why + ")"
}
