package traffic

import (
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed amplification_ports.csv
var amplificationCSV string

// MaxFactor is the highest amplification that was seen in an attack
// (memcached). A published figure above it is theory, such as the 4,294,967,296
// of TP240, and is never shown: the measured low end is then used for both ends.
const MaxFactor = 51000

// AmplificationService is a service that answers a small request with a large
// reply, and can therefore be made to flood a third party. Its factors are
// priors to show to people, not constants to compute with.
type AmplificationService struct {
	Port      int
	Transport string // udp or tcp
	Service   string
	Request   string // what the attacker sends
	// FactorLow and FactorHigh bound the published ratio of reply bytes to
	// request bytes. Both are zero where none was published; see HasFactor.
	FactorLow, FactorHigh float64
	// Confidence is A (several measurements), B (one) or C (on lists only).
	Confidence string
	Sources    string
	// Reflector is the program that answers on a Windows host, BenignClient the
	// program that legitimately asks from one.
	Reflector, BenignClient string
	Note                    string
}

// HasFactor reports whether a factor for the service was published.
func (s AmplificationService) HasFactor() bool { return s.FactorHigh > 0 }

type amplificationTable struct {
	services []AmplificationService
	byPort   map[ServicePort]AmplificationService
	err      error
}

// The table is data that was compiled in: it is parsed once, and never written
// again. A test proves that it parses.
var amplification = sync.OnceValue(func() amplificationTable {
	services, err := parseAmplification(amplificationCSV)
	t := amplificationTable{services: services, byPort: map[ServicePort]AmplificationService{}, err: err}
	for _, s := range services {
		t.byPort[ServicePort{s.Port, s.Transport}] = s
	}
	return t
})

// Amplification returns the amplification service that is known to answer on a
// port, and whether there is one. Transport is udp or tcp.
func Amplification(port int, transport string) (AmplificationService, bool) {
	s, ok := amplification().byPort[ServicePort{port, transport}]
	return s, ok
}

// AmplificationTable returns every known amplification service, by port and
// transport.
func AmplificationTable() []AmplificationService { return slices.Clone(amplification().services) }

func amplificationColumns() []string {
	return []string{
		"port", "transport", "service", "amplifying_request", "baf_low", "baf_high", "confidence",
		"sources", "windows_reflector", "benign_windows_client", "note",
	}
}

func parseAmplification(text string) ([]AmplificationService, error) {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read amplification table: %w", err)
	}
	if len(rows) == 0 || !slices.Equal(rows[0], amplificationColumns()) {
		return nil, errors.New("read amplification table: the columns are not the known ones")
	}
	services := make([]AmplificationService, 0, len(rows)-1)
	for i, row := range rows[1:] {
		s, err := parseAmplificationRow(row)
		if err != nil {
			return nil, fmt.Errorf("read amplification table, line %d: %w", i+2, err)
		}
		if i > 0 && compareServices(services[i-1], s) >= 0 {
			return nil, fmt.Errorf("read amplification table, line %d: %d/%s is out of order", i+2, s.Port, s.Transport)
		}
		services = append(services, s)
	}
	return services, nil
}

// compareServices orders by port. Where a port serves both transports, udp
// is first: it is the one that can be spoofed.
func compareServices(a, b AmplificationService) int {
	if a.Port != b.Port {
		return a.Port - b.Port
	}
	return -strings.Compare(a.Transport, b.Transport)
}

func parseAmplificationRow(row []string) (AmplificationService, error) {
	s := AmplificationService{
		Transport: row[1], Service: row[2], Request: row[3], Confidence: row[6],
		Sources: row[7], Reflector: row[8], BenignClient: row[9], Note: row[10],
	}
	port, err := strconv.ParseUint(row[0], 10, 16)
	if err != nil || port == 0 {
		return s, fmt.Errorf("%q is not a port", row[0])
	}
	s.Port = int(port)
	if s.Transport != "udp" && s.Transport != "tcp" {
		return s, fmt.Errorf("%q is not a transport", s.Transport)
	}
	if s.Service == "" {
		return s, fmt.Errorf("%d/%s has no service", s.Port, s.Transport)
	}
	if !slices.Contains([]string{"A", "B", "C"}, s.Confidence) {
		return s, fmt.Errorf("%q is not a confidence", s.Confidence)
	}
	if row[4] == "" && row[5] == "" {
		return s, nil
	}
	low, errLow := strconv.ParseFloat(row[4], 64)
	high, errHigh := strconv.ParseFloat(row[5], 64)
	if errLow != nil || errHigh != nil || low <= 0 || high < low {
		return s, fmt.Errorf("%q to %q is not a range of factors", row[4], row[5])
	}
	if high > MaxFactor {
		high = low
	}
	s.FactorLow, s.FactorHigh = low, high
	return s, nil
}
