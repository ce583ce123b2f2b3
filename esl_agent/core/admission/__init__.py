"""Admission: may this call go out, who pays, for how much, by which carriers."""
