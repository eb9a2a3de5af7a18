package config

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// parseDuration reads "30s", "1h30m" or "0".
func parseDuration(s string) (int64, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, errors.New("a duration is written like 30s, 5m or 1h30m")
	}
	return int64(d), nil
}

var sizeUnits = []struct {
	name   string
	octets int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
}

// parseSize reads "25MiB", "1.5GB", or a number of octets.
func parseSize(s string) (int64, error) {
	for _, u := range sizeUnits {
		number, found := strings.CutSuffix(s, u.name)
		if !found {
			continue
		}
		number = strings.TrimSuffix(number, " ")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil && n >= 0 && n <= (1<<62)/u.octets {
			return n * u.octets, nil
		}
		if f, err := strconv.ParseFloat(number, 64); err == nil && u.octets > 1 && f >= 0 && f < 1e6 && !strings.ContainsAny(number, "eExXpPnN_+") {
			return int64(f * float64(u.octets)), nil
		}
		break
	}
	return 0, errors.New("a size is written like 25MiB (KiB, MiB, GiB, kB, MB, GB), or in octets")
}

// showSize writes n octets as parseSize reads it.
func showSize(n int64) string {
	for _, u := range []int{2, 1, 0} {
		if o := sizeUnits[u].octets; n >= o && n%o == 0 {
			return strconv.FormatInt(n/o, 10) + sizeUnits[u].name
		}
	}
	return strconv.FormatInt(n, 10)
}

// showDuration writes a duration of n nanoseconds without its zeros.
func showDuration(n int64) string {
	s := time.Duration(n).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// nearest returns the known name that is most like s, "" when none is near.
func nearest(s string, known []string) string {
	best, least := "", max(2, len(s)/3)+1
	for _, k := range known {
		if n := distance(strings.ToLower(s), k); n < least {
			best, least = k, n
		}
	}
	return best
}

// distance counts the insertions, deletions and replacements between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
