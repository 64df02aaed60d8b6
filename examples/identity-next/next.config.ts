import type { NextConfig } from "next";
import { portcullisHeaders } from "portcullis/next";

const isProduction = process.env.NODE_ENV === "production";

const config: NextConfig = {
  poweredByHeader: false,
  headers: async () => portcullisHeaders(isProduction ? {} : { dangerouslyAllowEval: "React asks for it in next dev" }),
};

export default config;
