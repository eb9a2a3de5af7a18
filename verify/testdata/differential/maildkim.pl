# Verifies messages with Mail::DKIM. Input and output are those of dkimpy.py.
use strict;
use warnings;
use JSON::PP;
use MIME::Base64;
use Mail::DKIM::Verifier;
use Mail::DKIM::ARC::Verifier;
use Net::DNS;

my %records;

package Answers;
sub new { bless {}, shift }
sub errorstring { "NOERROR" }

sub send {
    my ($self, $name, $type) = @_;
    my $packet = Net::DNS::Packet->new($name, $type);
    $packet->header->qr(1);
    my $text = $records{ lc $name };
    if (defined $text) {
        my $rr = Net::DNS::RR->new(owner => $name, type => 'TXT', txtdata => [ unpack('(a255)*', $text) ]);
        $packet->push(answer => $rr);
    }
    else { $packet->header->rcode('NXDOMAIN') }
    return $packet;
}

package main;
Mail::DKIM::DNS::resolver(Answers->new);
my $json = JSON::PP->new->utf8->canonical;
$| = 1;

sub verified {
    my ($verifier, $message) = @_;
    eval { $verifier->PRINT($message); $verifier->CLOSE; 1 } or return "$@";
    return;
}

while (my $line = <STDIN>) {
    my $case = $json->decode($line);
    if ($case->{records}) { %records = %{ $case->{records} }; next }
    my $message = decode_base64($case->{message});
    my %answer = (dkim => []);
    my $v = Mail::DKIM::Verifier->new(Strict => 1);
    my $fault = verified($v, $message);
    for my $s ($fault ? () : $v->signatures) {
        next if $s->isa('Mail::DKIM::DkSignature');
        push @{ $answer{dkim} }, { result => $s->result // 'none', reason => $s->result_detail // '',
            domain => $s->domain // '', selector => $s->selector // '' };
    }
    $answer{fault} = $fault if $fault;
    my $arc = Mail::DKIM::ARC::Verifier->new(Strict => 1);
    $fault = verified($arc, $message);
    $answer{arc} = { result => $fault ? 'fail' : $arc->result // 'none', reason => $fault // $arc->{details} // '' };
    print $json->encode(\%answer), "\n";
}
