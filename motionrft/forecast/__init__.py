"""What a run will cost, before it runs: counted by shapes (`count`), kept in `config/counted.json`, summed by job."""
