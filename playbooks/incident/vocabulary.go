package incident

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// Word is one word of a closed vocabulary, with the other words that mean the
// same. Case, and whether its parts are joined by a blank, a dash, an underscore
// or nothing, never matter.
type Word struct {
	Name    string
	Aliases []string
}

// Vocabulary is a closed set of words that policies compare. Text from
// outside is normalised to these words once, where it enters; a word that is not
// among them is unknown, so that a condition on it is unknown and never false.
// The zero Vocabulary has no words.
type Vocabulary struct {
	// what is one word of it, for people, and add how to add one.
	what, add string
	words     []Word
	names     map[string]string // by their letters and digits
	// read finds the word in a longer text, such as the name of a product.
	read func(text string) (name string, ok bool)
	// open takes words that are not listed as they are, in one spelling.
	open bool
}

func vocabulary(what string, words ...Word) Vocabulary {
	v := Vocabulary{what: what, words: words, names: map[string]string{}}
	for _, w := range words {
		for _, spelling := range append([]string{w.Name}, w.Aliases...) {
			v.names[letters(spelling)] = w.Name
		}
	}
	return v
}

// letters are the letters and digits of a text, in lower case.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, text)
}

// Spelling is the one spelling of a word, or of a part of one, that no list has:
// lower case, with underscores between its parts.
func Spelling(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("-_./\\", r)
	}), "_")
}

// Word returns the word that a text means, if it is one of the vocabulary. A
// filler does not count, unless the vocabulary itself has it.
func (v Vocabulary) Word(text string) (string, bool) {
	key := letters(text)
	name, ok := v.names[key]
	if !ok && Filler(text) {
		return "", false
	}
	if !ok && strings.HasSuffix(key, "s") { // domain controllers
		name, ok = v.names[strings.TrimSuffix(key, "s")]
	}
	if !ok && v.read != nil {
		name, ok = v.read(text)
	}
	if !ok && v.open && key != "" {
		name, ok = Spelling(text), true
	}
	return name, ok
}

// Of normalises text from outside to the words of the vocabulary. A filler is
// no value; any other word that is not among them is unknown, and said in the
// reason.
func (v Vocabulary) Of(value Value[string]) Value[string] {
	text, known := value.Get()
	if !known {
		return value
	}
	if name, ok := v.Word(text); ok {
		return Known(name, value.From())
	}
	if Filler(text) {
		return Value[string]{}
	}
	return NotKnown[string](v.Outside(text))
}

// Outside is the problem of a text that is not one of the words.
func (v Vocabulary) Outside(text string) string {
	const most = 60
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	problem := fmt.Sprintf("%s is not %s", strconv.QuoteToASCII(text), v.what)
	if v.add != "" {
		problem += " that is known: " + v.add
	}
	return problem
}

// Or returns the vocabulary, or the other where it has no words.
func (v Vocabulary) Or(other Vocabulary) Vocabulary {
	if len(v.words) == 0 {
		return other
	}
	return v
}

// What is one word of it, for people: an asset role.
func (v Vocabulary) What() string { return v.what }

// Words are the words in the order in which people are shown them.
func (v Vocabulary) Words() []Word { return slices.Clone(v.words) }

// Names are the words without their aliases.
func (v Vocabulary) Names() []string {
	names := make([]string, 0, len(v.words))
	for _, w := range v.words {
		names = append(names, w.Name)
	}
	return names
}

// Open reports whether words that are not listed are taken as they are.
func (v Vocabulary) Open() bool { return v.open }

// Transports are the protocols that alerts and flows name, also by their number.
func Transports() Vocabulary { return transports() }

var transports = sync.OnceValue(func() Vocabulary {
	return vocabulary("udp, tcp or icmp",
		Word{"udp", []string{"17", "udp4", "udp6", "udp17", "17udp", "0x11", "quic", "user datagram protocol"}},
		Word{"tcp", []string{"6", "tcp4", "tcp6", "6tcp", "0x06", "0x6", "transmission control protocol"}},
		Word{"icmp", []string{"1", "icmp4", "icmpv4", "icmp6", "icmpv6", "ipv6-icmp", "icmp1", "58", "1icmp", "58icmp"}},
	)
})

// Categories are the kinds of detections that the library answers. A site's own
// are taken as they are, in one spelling.
func Categories() Vocabulary { return categories() }

var categories = sync.OnceValue(func() Vocabulary {
	v := vocabulary("a category of alerts",
		Word{"high_egress", []string{"high outbound", "high egress traffic", "high outbound traffic", "large egress"}},
		Word{"dns_amplification", []string{"dns amplification attack"}},
		Word{"reflection", []string{"reflection attack", "amplification reflection"}},
	)
	v.open = true
	return v
})

// The words that Stanch itself writes. A policy may spell them otherwise.
var (
	isolations = sync.OnceValue(func() Vocabulary {
		return vocabulary("none, isolating, isolated or releasing",
			Word{"none", []string{"normal", "not isolated", "unisolated"}}, Word{"isolating", []string{"containment pending"}},
			Word{"isolated", []string{"contained"}}, Word{"releasing", []string{"lift containment pending"}})
	})
	statuses = sync.OnceValue(func() Vocabulary {
		return plainWords("firing, resolved, not_alerting or sample", Firing, Resolved, NotAlerting, Sample)
	})
	trafficRoles = sync.OnceValue(func() Vocabulary {
		return plainWords("a role of traffic", Requester, Flooder, Reflector, Transfer, Discovery, UnknownRole)
	})
	attributions = sync.OnceValue(func() Vocabulary {
		return plainWords("exact, destination, process_list or none", Exact, Destination, ProcessList, NoneJoined)
	})
	coverages = sync.OnceValue(func() Vocabulary {
		return plainWords("both, one_way, sampled or disagree", BothWays, OneWay, Sampled, Disagree)
	})
)

func plainWords[T ~string](what string, names ...T) Vocabulary {
	words := make([]Word, 0, len(names))
	for _, n := range names {
		words = append(words, Word{Name: string(n)})
	}
	return vocabulary(what, words...)
}

// OSes are the families of operating systems. The name of a product, such as
// Microsoft Windows Server 2022, is read as its family.
func OSes() Vocabulary { return oses() }

var oses = sync.OnceValue(func() Vocabulary {
	v := vocabulary("an operating system that is known",
		Word{"windows", []string{"win", "win32", "win64", "win32nt", "winnt", "microsoft"}},
		Word{"macos", []string{"mac", "mac os", "mac os x", "os x", "osx", "darwin"}},
		Word{"linux", []string{
			"ubuntu", "debian", "centos", "fedora", "red hat", "rhel", "suse", "sles",
			"opensuse", "amzn", "rocky", "alma", "almalinux", "arch", "alpine", "kali",
			"mint", "gentoo", "raspbian", "photon", "flatcar", "coreos", "bottlerocket", "nixos",
			"oracle linux",
		}},
		Word{"android", nil}, Word{"chromeos", []string{"chrome os"}}, Word{"ios", []string{"iphone", "ipados"}},
		Word{"freebsd", nil}, Word{"openbsd", nil}, Word{"netbsd", nil}, Word{"solaris", []string{"sunos"}}, Word{"aix", nil}, Word{"hpux", nil},
		Word{"esxi", []string{"esx", "vmkernel", "vmware esxi"}},
	)
	v.read = func(text string) (string, bool) { return family(v, text) }
	return v
})

// family finds the one family that the words of a product's name mean. A
// name with two, such as Windows Subsystem for Linux, has none.
func family(v Vocabulary, text string) (string, bool) {
	parts := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) })
	found := ""
	for i, part := range parts {
		pair := part
		if i+1 < len(parts) {
			pair += parts[i+1]
		}
		name, ok := v.names[pair]
		if !ok {
			name, ok = v.names[part]
		}
		switch {
		case !ok && strings.HasPrefix(part, "windows"):
			name = "windows"
		case !ok && strings.HasPrefix(part, "redhat"), !ok && strings.HasSuffix(part, "linux"):
			name = "linux"
		case !ok && strings.HasPrefix(part, "macos"):
			name = "macos"
		case !ok:
			continue
		}
		if found != "" && found != name {
			return "", false
		}
		found = name
	}
	return found, found != ""
}
