use Fcntl qw(:flock);
open my $file, '+<', $ARGV[0] or die $!;
flock $file, LOCK_EX or die $!;
my $count = <$file>;
select undef, undef, undef, 0.01;
seek $file, 0, 0;
print $file $count + 1, "\n";
close $file;
